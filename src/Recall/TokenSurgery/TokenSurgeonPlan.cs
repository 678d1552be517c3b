using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Configuration.Yaml;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;
using Recall.Tokenization;

namespace Recall.TokenSurgery;

/// <summary>
/// A model with another model's vocabulary (mergekit-tokensurgeon): embedding and head get a row for each of the donor's tokens, its own where the base
/// has the token, else one made of the base's rows; all other tensors are copied.
/// </summary>
/// <example><code>
/// var plan = TokenSurgeonPlan.Make(options, new MergeOptions { Output = "out" });
/// plan.Prepare();
/// MergeRun.Run(plan.Merge);
/// </code></example>
public sealed class TokenSurgeonPlan
{
    readonly List<NewRows> _matrices;

    TokenSurgeonPlan(MergePlan merge, List<NewRows> matrices) => (Merge, _matrices) = (merge, matrices);

    /// <summary>The output: files, tensors, tokenizer. To be run after <see cref="Prepare"/>.</summary>
    public MergePlan Merge { get; }

    /// <summary>
    /// Works out of which rows each new row is made. With the methods that go by shared tokens a matrix of the donor is in memory. With
    /// <see cref="SurgeryOptions.Magikarp"/> tokens do not count as shared whose row, in base or donor, is nearer to zero, to the mean of all rows, or to
    /// the mean of the rows without a token, than half the median of all rows.
    /// </summary>
    /// <param name="done">Told of each batch of rows that is done: how many rows, and of how many in all.</param>
    /// <param name="cancellation">Stops between batches of rows.</param>
    /// <returns>Notes for the user.</returns>
    /// <exception cref="RecallException">The weights cannot be read, or no shared token is left.</exception>
    public ImmutableArray<string> Prepare(Action<long, long>? done = null, CancellationToken cancellation = default)
    {
        TorchProcess.Prepare();
        long before = 0, all = _matrices.Sum(matrix => (long)matrix.Missing);
        var notes = ImmutableArray.CreateBuilder<string>();
        foreach (var matrix in _matrices)
        {
            if (matrix.Prepare(rows => done?.Invoke(before + rows, all), cancellation) is { } note) notes.Add(note);
            before += matrix.Missing;
        }
        return notes.ToImmutable();
    }

    /// <summary>Opens the models (headers and tokenizers) and checks everything.</summary>
    /// <exception cref="RecallException">Something is wrong; nothing has been written.</exception>
    public static TokenSurgeonPlan Make(SurgeryOptions options, MergeOptions run)
    {
        if (options.K < 1) throw new ConfigurationException($"--k {options.K}: at least one token is needed");
        if (!double.IsFinite(options.NewVocabScale) || !(options.NewVocabNoise >= 0) || double.IsInfinity(options.NewVocabNoise))
            throw new ConfigurationException("--new-vocab-scale and --new-vocab-noise: finite numbers are expected, the noise at least 0");
        OpenedModel model = OpenedModel.Open(options.Model), donor = OpenedModel.Open(options.Donor);
        TokenizerFile baseFile = Tokens(model), donorFile = Tokens(donor);
        var embedding = Matrix(model, model.Architecture.Embedding);
        var donorEmbedding = Matrix(donor, donor.Architecture.Embedding);
        string bias = model.Architecture.Head[..^Math.Min(model.Architecture.Head.Length, ".weight".Length)] + ".bias";
        if (model.Checkpoint.Find(bias) is not null)
            throw new RecallException(
                $"{model.Name}: has {bias}, a bias for each token: it cannot follow to another vocabulary");
        TokenKeys baseKeys = new(baseFile, model.Checkpoint.Files), donorKeys = new(donorFile, donor.Checkpoint.Files);
        var matches = new TokenMatches(baseFile, baseKeys, (int)embedding.Shape[0], donorKeys);
        var subwords = options.Method == Approximation.Subword
            ? new SubwordRows(Tokenizer.Load(model.Checkpoint), options.Subword, (int)embedding.Shape[0]) : null;

        var notes = new List<string>();
        if (run.SeedIsGiven && options.NewVocabNoise == 0 && options.Method is not (Approximation.Randn or Approximation.JohnHewitt))
            notes.Add($"--random-seed {run.Seed}: without effect: no new row is drawn");
        var vocabulary = new NewVocabulary(baseFile, donorFile, donorKeys, matches, subwords, options, run.Seed)
        {
            Pairs = options.Method == Approximation.RopePursuit ? (RotaryPairs.Of(model), RotaryPairs.Of(donor)) : null,
        };
        List<NewRows> matrices = [new NewRows(embedding, donorEmbedding, vocabulary, head: false)];
        if (model.Checkpoint.Find(model.Architecture.Head) is not null)
        {
            var donorHead = donor.Checkpoint.Find(donor.Architecture.Head) is null ? donorEmbedding : Matrix(donor, donor.Architecture.Head);
            matrices.Add(new NewRows(Matrix(model, model.Architecture.Head), donorHead, vocabulary, head: true));
        }
        foreach (var matrix in matrices) notes.Add(matrix.Check(model.Name, donor.Name));

        var config = SpecialNumbers((JsonObject)model.Checkpoint.Config.DeepClone(), donor.Checkpoint.Config);
        var made = matrices.ToDictionary(matrix => matrix.Tensor.Name, matrix => (TensorSource)matrix.Tensor, StringComparer.Ordinal);
        var checkpoint = new Checkpoint(
            model.Checkpoint.Path, config, [.. model.Checkpoint.Tensors.Select(tensor => made.GetValueOrDefault(tensor.Name) ?? tensor)], Files(model, donor));
        var place = new Place("recall tokensurgeon", 0, 0, "");
        // The text is what a killed run is known by when it is started again.
        var passthrough = new MergeConfig
        {
            File = "recall tokensurgeon",
            Text = options.ToString(),
            Method = "passthrough",
            MethodPlace = place,
            Models = [new ModelEntry(new ModelReference(options.Model.Model), ParameterSet.None, place)],
            Notes = [.. notes],
        };
        return new TokenSurgeonPlan(MergePlan.Make(passthrough, run with { WriteModelCard = false, SeedIsGiven = false }, _ => checkpoint), matrices);
    }

    static TokenizerFile Tokens(OpenedModel model) => TokenizerFile.Find(model.Checkpoint.Files, model.Name)
        ?? throw new RecallException($"{model.Name} has no tokenizer.json; copy its tokenizer beside it");

    static TensorSource Matrix(OpenedModel model, string name) =>
        model.Checkpoint.Find(name) is { Shape: { Rank: 2, Elements: > 0 } shape } matrix && shape[0] <= Vocabulary.LargestId && matrix.DType.IsFloat()
            ? matrix : throw new RecallException($"{model.Name} has no embedding that Recall knows: {name} is expected, one row a token");

    /// <summary>The donor's tokenizer, and what else the base has.</summary>
    static List<CheckpointFile> Files(OpenedModel model, OpenedModel donor) =>
    [
        .. donor.Checkpoint.Files.Where(file => TokenizerFiles.Has(file.Name)),
        .. model.Checkpoint.Files.Where(file => !TokenizerFiles.Has(file.Name)).Select(file => file.Name == "generation_config.json"
            ? TokenizerFiles.Made(file.Name, SpecialNumbers(TokenizerFiles.ReadObject(file), donor.Checkpoint.Config)) : file),
    ];

    /// <summary>
    /// Numbers of tokens, bos_token_id and the like: the donor's; without one there the number would be that of another token.
    /// </summary>
    static JsonObject SpecialNumbers(JsonObject config, JsonObject donor)
    {
        foreach (string key in config.Select(entry => entry.Key).Where(key => key.EndsWith("_token_id", StringComparison.Ordinal)).ToList())
        {
            if (donor[key] is { } number) config[key] = number.DeepClone();
            else config[key] = null;
        }
        return config;
    }
}
