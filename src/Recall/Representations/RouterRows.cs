using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Tokenization;

namespace Recall.Representations;

/// <summary>
/// Router rows of a mixture of experts, from prompts that the base model reads: a row points to where in the hidden states an expert's
/// prompts lie, away from where its negative ones do, and has length 1.
/// </summary>
/// <param name="name">The base model's name, for messages.</param>
/// <param name="model">The base model.</param>
/// <param name="experts">The experts that have a row.</param>
sealed class RouterRows(string name, Checkpoint model, ImmutableArray<MoeExpert> experts)
{
    /// <summary>Tokens of a prompt at most: attention over more takes gigabytes.</summary>
    const int MostTokens = 4096;

    /// <summary>Shorter differences are rounding noise.</summary>
    const double LeastLength = 1e-8;

    readonly List<int[]> _texts = [];
    readonly List<(Range Positive, Range Negative)> _prompts = [];

    /// <summary>For each layer the rows of the experts, [experts, hidden].</summary>
    /// <exception cref="RecallException">No tokenizer, no forward pass, prompts without tokens, too long, or that cancel.</exception>
    public ImmutableArray<float[]> Compute(GateMode mode, CancellationToken cancellation)
    {
        var tokenizer = Tokenizer.Load(model);
        int? bos = SpecialTokens.OfTokenizer(model, tokenizer, "bos");
        foreach (var expert in experts)
        {
            var positive = Encode(expert, expert.PositivePrompts, "positive_prompts");
            _prompts.Add((positive, Encode(expert, expert.NegativePrompts, "negative_prompts")));
        }
        if (mode == GateMode.CheapEmbed) return FromEmbeddings();
        return FromStates(mode == GateMode.HiddenAvg ? Pooling.Mean : Pooling.Last, cancellation);

        Range Encode(MoeExpert expert, ImmutableArray<string> prompts, string key)
        {
            int first = _texts.Count;
            for (int i = 0; i < prompts.Length; i++)
            {
                int[] ids = tokenizer.Encode(prompts[i], addSpecialTokens: false);
                if (bos is { } id) ids = [id, .. ids];
                var place = expert.Place with { Path = $"{expert.Place.Path}.{key}[{i}]" };
                if (ids.Length == 0) throw place.Error("the prompt has no tokens");
                if (ids.Length > MostTokens) throw place.Error($"the prompt has {ids.Length} tokens; at most {MostTokens} are read");
                _texts.Add(ids);
            }
            return first.._texts.Count;
        }
    }

    /// <summary>
    /// The means of the states of the positive and of the negative prompts, their difference brought to length 1, layer by layer: states
    /// are what goes into each block.
    /// </summary>
    ImmutableArray<float[]> FromStates(Pooling pooling, CancellationToken cancellation)
    {
        using var stream = new RepresentationStream([(name, model)], _texts, ComputeType.Float32);
        var reader = new TileReader();
        var layers = ImmutableArray.CreateBuilder<float[]>();
        for (int layer = 0; layer < stream.Layers; layer++)
        {
            if (layer == 0) stream.Embed(reader, cancellation);
            else stream.Block(layer, reader, cancellation);
            var states = stream.Pooled(pooling)[0];
            var rows = new float[experts.Length * states.Size];
            for (int expert = 0; expert < experts.Length; expert++)
            {
                var row = new double[states.Size];
                AddMean(states, _prompts[expert].Positive, 1, row);
                AddMean(states, _prompts[expert].Negative, -1, row);
                Write(expert, layer, row, rows);
            }
            layers.Add(rows);
        }
        return layers.ToImmutable();
    }

    /// <summary>
    /// The sums of the embeddings of all tokens of the positive and of the negative prompts, each brought to length 1, and their
    /// difference too.
    /// </summary>
    ImmutableArray<float[]> FromEmbeddings()
    {
        var options = BlockOptions.Read(model);
        var embedding = model.Require(options.Names.Embedding, new Shape(options.VocabularySize, options.HiddenSize));
        var reader = new TileReader();
        var rows = new float[experts.Length * options.HiddenSize];
        for (int expert = 0; expert < experts.Length; expert++)
        {
            var (positive, negative) = (Sum(_prompts[expert].Positive), Sum(_prompts[expert].Negative));
            for (int i = 0; i < positive.Length; i++) positive[i] -= negative[i];
            Write(expert, 0, positive, rows);
        }
        return [.. Enumerable.Repeat(rows, options.Layers)];

        double[] Sum(Range texts)
        {
            var sum = new double[options.HiddenSize];
            var row = new float[options.HiddenSize];
            foreach (int id in _texts[texts].SelectMany(ids => ids))
            {
                if (id < 0 || id >= options.VocabularySize)
                {
                    throw new RecallException($"{name}: a prompt has the token id {id}; "
                        + $"the model's vocabulary has {options.VocabularySize}: is the tokenizer that of this model?");
                }
                reader.Begin(options.HiddenSize);
                embedding.Read(reader, (long)id * options.HiddenSize, row);
                for (int i = 0; i < sum.Length; i++) sum[i] += row[i];
            }
            double length = Length(sum);
            if (length >= LeastLength)
                for (int i = 0; i < sum.Length; i++) sum[i] /= length;
            return sum;
        }
    }

    static void AddMean(PooledStates states, Range texts, double sign, double[] row)
    {
        var (first, count) = texts.GetOffsetAndLength(states.Count);
        for (int text = first; text < first + count; text++)
            for (int i = 0; i < row.Length; i++) row[i] += sign * states[text][i] / count;
    }

    void Write(int expert, int layer, double[] row, float[] rows)
    {
        double length = Length(row);
        if (!double.IsFinite(length))
            throw new RecallException($"{name}: layer {layer} gives {length} for a prompt: its weights are broken");
        if (length < LeastLength)
        {
            throw experts[expert].Place.Error($"the expert's positive and negative prompts are the same to the base model (layer {layer}), "
                + "so that they make no router row");
        }
        for (int i = 0; i < row.Length; i++) rows[expert * row.Length + i] = (float)(row[i] / length);
    }

    static double Length(double[] row) => Math.Sqrt(row.Sum(value => value * value));
}
