using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;
using Recall.TokenSurgery;

namespace Recall.Cli.Commands;

/// <summary><c>recall tokensurgeon</c>: a model with another's tokenizer.</summary>
sealed class TokenSurgeonCommand : Verb
{
    readonly Argument<string> _model = Common.Model("MODEL");
    readonly Argument<string> _donor = new("DONOR") { Description = "The model whose tokenizer it gets" };
    readonly Argument<string> _output = Common.Output();
    readonly Option<int> _k = new("--k", "-k")
    {
        Description = "Shared tokens of which a new row is made, with omp, common_interpolation, stb, mp_rope",
        HelpName = "K",
        DefaultValueFactory = _ => 64,
    };
    readonly Option<Approximation> _method = Word("--approximation-method", "-a", "How the rows of new tokens are made", Approximation.Omp, new()
    {
        ["omp"] = Approximation.Omp, ["common_interpolation"] = Approximation.CommonInterpolation, ["subword"] = Approximation.Subword,
        ["mean"] = Approximation.Mean, ["zero"] = Approximation.Zero, ["randn"] = Approximation.Randn,
        ["john_hewitt"] = Approximation.JohnHewitt, ["landmark_pca"] = Approximation.LandmarkPca, ["stb"] = Approximation.SparseTokenBasis,
        ["mp_rope"] = Approximation.RopePursuit,
    });

    readonly Option<WeightScheme> _weights = Word(
        "--weight-scheme", "-w", "Weights of the nearest tokens in common_interpolation", WeightScheme.DistanceProportional, new()
        {
            ["distance_proportional"] = WeightScheme.DistanceProportional, ["barycentric"] = WeightScheme.Barycentric,
            ["least_squares"] = WeightScheme.LeastSquares,
        });

    readonly Option<SubwordMethod> _subword = Word(
        "--subword-method", "-s", "What becomes of the rows of a token's parts in subword", SubwordMethod.Mean, new()
        {
            ["mean"] = SubwordMethod.Mean, ["sum"] = SubwordMethod.Sum, ["weighted_mean"] = SubwordMethod.WeightedMean,
            ["first_last"] = SubwordMethod.FirstLast,
        });

    readonly Switch _cosine = new(
        "--cosine-similarity", false, "Of common_interpolation: nearest is the smallest angle, not distance", letter: "-c", offLetter: "-nc");
    readonly Option<MatchScope> _prefix = Scope("--prefix-match", "-pm", "Whether a new token gets the row of the longest token with which it begins");
    readonly Option<MatchScope> _byte = Scope("--byte-match", "-bm", "Whether <0x41> and A are the same token");
    readonly Option<double> _noise = new("--new-vocab-noise", "-nvn")
    {
        Description = "Standard deviation of noise on new rows",
        HelpName = "S",
        DefaultValueFactory = _ => 0,
    };
    readonly Option<double> _scale = new("--new-vocab-scale", "-nvs")
    {
        Description = "Factor of new rows",
        HelpName = "F",
        DefaultValueFactory = _ => 1,
    };
    readonly Option<int?> _batch = new("--batch-size") { Description = "Rows are made in batches of one size", Hidden = true };
    readonly Switch _magikarp = new("--magikarp", false, "Make no row of shared tokens that look hardly trained");
    readonly MergeFlags _flags = new("--weights", "--allow-crimes", "--write-model-card");
    readonly Option<bool> _json = Common.Json();

    public TokenSurgeonCommand() : base(
        "tokensurgeon",
        "Gives a model another model's tokenizer (mergekit-tokensurgeon). Tokens that both have keep their rows in embedding and head; those of the others are "
        + "made of the model's own.",
        "recall tokensurgeon small big small-with-big-tokens",
        "recall tokensurgeon small big small-with-big-tokens -a subword -s weighted_mean")
    {
        Add(_model);
        Add(_donor);
        Add(_output);
        Add(_method);
        Add(_k);
        Add(_weights);
        _cosine.AddTo(this);
        Add(_subword);
        Add(_prefix);
        Add(_byte);
        Add(_noise);
        Add(_scale);
        Add(_batch);
        _magikarp.AddTo(this);
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        if (parse.GetValue(_batch) is not null) screen.Note("note: --batch-size: of mergekit, without meaning here");
        var options = new SurgeryOptions
        {
            Model = ModelReference.Parse(parse.GetRequiredValue(_model)),
            Donor = ModelReference.Parse(parse.GetRequiredValue(_donor)),
            Method = parse.GetValue(_method),
            K = parse.GetValue(_k),
            Cosine = _cosine.Value(parse),
            Weights = parse.GetValue(_weights),
            Subword = parse.GetValue(_subword),
            PrefixMatch = parse.GetValue(_prefix),
            ByteMatch = parse.GetValue(_byte),
            Magikarp = _magikarp.Value(parse),
            NewVocabNoise = parse.GetValue(_noise),
            NewVocabScale = parse.GetValue(_scale),
        };
        NoteUnused(parse, screen, options);
        var plan = TokenSurgeonPlan.Make(options, _flags.Read(parse, parse.GetRequiredValue(_output), screen));
        OutputFolder.Check(plan.Merge);
        foreach (string note in plan.Merge.Notes) screen.Note($"note: {Shown.Text(note)}");
        using (var progress = new ProgressLine(screen))
        {
            void Rows(long done, long count) =>
                progress.Report($"{Shown.Count(done)} of {Shown.Count(count)} new rows", (double)done / count);
            progress.Report("reading the tokens that both have");
            foreach (string note in plan.Prepare(Rows, cancellation))
            {
                progress.Clear();
                screen.Note($"note: {Shown.Text(note)}");
            }
        }
        MergeShow.Run(plan.Merge, screen, parse.GetValue(_json), cancellation);
        return ExitCode.Done;
    }

    void NoteUnused(ParseResult parse, Screen screen, SurgeryOptions options)
    {
        string method = $"with -a {(parse.GetResult(_method) is { Tokens: [var word, ..] } ? word.Value : "omp")}";
        var unused = new List<Option>();
        if (!options.IsOfSharedTokens || options.Method == Approximation.LandmarkPca) unused.Add(_k);
        if (options.Method != Approximation.CommonInterpolation) unused.AddRange([_weights, _cosine.Changing]);
        if (options.Method != Approximation.Subword) unused.Add(_subword);
        if (!options.IsOfSharedTokens) unused.Add(_magikarp.Changing);
        Common.NoteUnused(parse, screen, method, unused);
    }

    static Option<MatchScope> Scope(string name, string letter, string description) => Word(name, letter, description, MatchScope.No, new()
    {
        ["no"] = MatchScope.No, ["lm_head"] = MatchScope.Head, ["embed"] = MatchScope.Embedding, ["yes"] = MatchScope.Yes,
    });

    static Option<T> Word<T>(string name, string letter, string description, T usual, Dictionary<string, T> words)
        where T : struct, Enum => new(name, letter)
        {
            Description = $"{description}: {string.Join(", ", words.Keys)} [default: {words.First(word => word.Value.Equals(usual)).Key}]",
            HelpName = "WORD",
            CustomParser = result =>
            {
                string word = result.Tokens is [var token, ..] ? token.Value : "";
                if (words.TryGetValue(word, out var value)) return value;
                result.AddError($"{name} {Quoted.Of(word)}: one of {string.Join(", ", words.Keys)} is expected");
                return usual;
            },
        };
}
