using Recall.Configuration.Yaml;

namespace Recall.Configuration;

/// <summary>How a text's hidden states become one vector.</summary>
public enum Pooling
{
    /// <summary>The mean over the text's tokens.</summary>
    Mean,
    /// <summary>The last token's state.</summary>
    Last,
}

/// <summary>How the representations of two models are compared.</summary>
public enum SimilarityKind
{
    /// <summary>A Gaussian of their distance, mean over samples.</summary>
    Rbf,
    /// <summary>Their cosine, mean over samples, at least 0.</summary>
    Cosine,
    /// <summary>Linear centred kernel alignment.</summary>
    Cka,
}

/// <summary>The type of forward passes.</summary>
public enum ComputeType
{
    /// <summary>bfloat16 on CPUs with AVX512-BF16 or AMX, float32 elsewhere.</summary>
    Auto,
    /// <summary>Single precision.</summary>
    Float32,
    /// <summary>bfloat16.</summary>
    BFloat16,
}

/// <summary>The options of the method <c>recall</c> (arXiv 2510.20479), key <c>recall</c> of a merge file, with their defaults.</summary>
public sealed record RecallOptions
{
    /// <summary>The texts of the newest task: a data file, an lm-eval task file, or the output of <c>recall select</c>.</summary>
    public string? Samples { get; init; }

    /// <summary>A Jinja template over a row's fields that makes the text; default: the field <c>text</c>.</summary>
    public string? Text { get; init; }

    /// <summary>Number of typical samples; default 20.</summary>
    public int Count { get; init; } = 20;

    /// <summary>Rows that are clustered where <see cref="Candidates"/> says nothing.</summary>
    public const int DefaultCandidates = 256;

    /// <summary>
    /// How many rows are drawn and clustered; null, the default: <see cref="DefaultCandidates"/>, or, in a merge by what the layers do, none: each
    /// expert's first <see cref="Count"/> rows are taken.
    /// </summary>
    public int? Candidates { get; init; }

    /// <summary>Tokens of a text that count; the rest is cut off; default 256.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>The layer whose representations are clustered; negative counts from the end; default −2, the last but one block.</summary>
    public int ClusterLayer { get; init; } = -2;

    /// <summary>Default mean.</summary>
    public Pooling Pooling { get; init; } = Pooling.Mean;

    /// <summary>Default rbf.</summary>
    public SimilarityKind Similarity { get; init; } = SimilarityKind.Rbf;

    /// <summary>Width of the Gaussian; null, the default: per layer the median distance between samples in the reference model.</summary>
    public double? Bandwidth { get; init; }

    /// <summary>Of the softmax over models; default 1, as published.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>
    /// <c>align</c> or <c>distil</c>: a merge by what the layers do; or the method that the layer weights go through. Null, the default: distil where an
    /// expert has texts and every other texts or a card, align where all have cards only, else linear.
    /// </summary>
    public string? Combine { get; init; }

    /// <summary><c>preset: paper</c>: the published form, whatever texts and cards there are. Default false.</summary>
    public bool Paper { get; init; }

    /// <summary>align, distil: weight of the tokens that predict the answer, beside 1 for all tokens; default 1.</summary>
    public double Answers { get; init; } = 1;

    /// <summary>align, distil: added to the diagonal of the second moments, in units of its mean; null, the default: 1e-3 and 1e-2.</summary>
    public double? Ridge { get; init; }

    /// <summary>align, RegMean: factor of the second moments' entries off the diagonal, 0 to 1; default 1.</summary>
    public double OffDiagonal { get; init; } = 1;

    /// <summary>align, distil: eigenvectors that the merged model's card keeps of each second moment; null: whole matrices; 0: no card. Default 64.</summary>
    public int? CardRank { get; init; } = 64;

    /// <summary>align, distil: keep the experts' texts, as tokens, beside the merged model, for the next merge; default true.</summary>
    public bool KeepSamples { get; init; } = true;

    /// <summary>
    /// align, distil: weigh each expert by what its task asks for; null, the default: where an expert has a card only, or the merged model keeps no texts.
    /// </summary>
    public bool? Demand { get; init; }

    /// <summary>Default auto.</summary>
    public ComputeType Compute { get; init; } = ComputeType.Auto;

    /// <summary>Of the draw of candidates and of the clusters' start; default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Where the key stands, for messages.</summary>
    public Place Place { get; init; }

    internal static RecallOptions? Read(YamlSection? section)
    {
        if (section is null) return null;
        var defaults = new RecallOptions();
        double? bandwidth = null;
        if (section.Take("bandwidth") is { } node and not YamlScalar { Text: "median" })
        {
            if (node is YamlScalar { Plain: true } text && Yaml11.Number(text) is null)
                throw section.At(node, "bandwidth").Error($"a number or 'median' is expected here, not {Quoted.Of(text.Text)}");
            bandwidth = section.TakeNumber("bandwidth", 0);
            if (bandwidth == 0) throw section.At(node, "bandwidth").Error("must be above 0, or 'median'");
        }
        var options = new RecallOptions
        {
            Samples = section.TakeText("samples"),
            Text = section.TakeText("text"),
            Count = section.TakeInteger("count", 1, 100_000) ?? defaults.Count,
            Candidates = section.TakeInteger("candidates", 1, 1_000_000),
            MaxTokens = section.TakeInteger("max_tokens", 1, 1_000_000) ?? defaults.MaxTokens,
            ClusterLayer = section.TakeInteger("cluster_layer", -100_000, 100_000) ?? defaults.ClusterLayer,
            Pooling = section.TakeWord("pooling", "mean", "last") == "last" ? Pooling.Last : Pooling.Mean,
            Similarity = section.TakeWord("similarity", "rbf", "cosine", "cka") switch
            {
                "cosine" => SimilarityKind.Cosine,
                "cka" => SimilarityKind.Cka,
                _ => SimilarityKind.Rbf,
            },
            Bandwidth = bandwidth,
            Temperature = section.TakeNumber("temperature", 1e-9, 1e9) ?? defaults.Temperature,
            Combine = section.TakeText("combine"),
            Paper = section.TakeWord("preset", "paper") is not null,
            Answers = section.TakeNumber("answers", 0, 1e6) ?? defaults.Answers,
            Ridge = section.TakeNumber("ridge", 1e-12, 1e6),
            OffDiagonal = section.TakeNumber("off_diagonal", 0, 1) ?? defaults.OffDiagonal,
            CardRank = section.Take("card_rank") is YamlScalar { Text: "full" } ? null : section.TakeInteger("card_rank", 0, 1_000_000) ?? defaults.CardRank,
            KeepSamples = section.TakeBoolean("keep_samples") ?? defaults.KeepSamples,
            Demand = section.TakeBoolean("demand"),
            Compute = section.TakeWord("compute", "auto", "float32", "bfloat16") switch
            {
                "float32" => ComputeType.Float32,
                "bfloat16" => ComputeType.BFloat16,
                _ => ComputeType.Auto,
            },
            Seed = section.TakeInteger("seed", 0, int.MaxValue) ?? defaults.Seed,
            Place = section.Place,
        };
        section.Finish();
        return options;
    }
}
