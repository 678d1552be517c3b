using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Takes merged rows of a linear layer's weight: its name in the checkpoint, the first row, [rows, in] float32. What it leaves in them,
/// rounded as it is stored, is what the merged model's texts go through.
/// </summary>
public delegate void MergedRows(string name, long first, Tensor rows);

/// <summary>Layers that are merged and need not be solved for: which (the head counts as one more), and their merged weights.</summary>
sealed record FinishedLayers(Func<int, bool> Contains, Func<string, TensorSource> Weight);

/// <summary>
/// Merges experts by least squares on the inputs of every linear layer, as a stream over the layers: one layer of all models is in memory,
/// each stored byte is read once, and between layers only the hidden states of the texts are kept. Everything but linear layers is base +
/// mean of the differences (<see cref="Rest"/>).
/// </summary>
/// <example><code>
/// using var alignment = new LayerAlignment(baseModel, experts, new AlignmentOptions { Kind = AlignmentKind.Distil });
/// alignment.Run((name, first, rows) => Keep(name, first, rows));
/// </code></example>
public sealed class LayerAlignment : IDisposable
{
    readonly Checkpoint _base;
    readonly AlignmentOptions _options;
    readonly ImmutableArray<Member> _members;
    readonly LayerBuffer _buffer = new();
    readonly TileReader _reader;
    readonly List<string> _notes = [];
    readonly LinearSolver _solver;

    /// <summary>Checks the models, cards and texts; reads no weights yet.</summary>
    /// <param name="baseModel">The base.</param>
    /// <param name="experts">The experts, each with texts or a card.</param>
    /// <param name="options">What is solved.</param>
    /// <exception cref="RecallException">Models of different sizes, an expert with neither texts nor a card, texts or cards that do not
    /// fit.</exception>
    public LayerAlignment(Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options)
    {
        TorchProcess.Prepare();
        (_base, _options, _reader) = (baseModel, options, new TileReader(_buffer));
        Options = BlockOptions.Read(baseModel);
        new AlignmentCheck(baseModel, Options, options).Check(experts);
        Rest = MeanTensor.Of(baseModel, experts);
        double total = experts.Sum(expert => expert.Count);
        bool onDisk = options.StatesOnDisk ?? StateBytes(experts) > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;
        _members = [.. experts.Select(expert => new Member(expert, expert.Count / total, Options, options, onDisk))];
        _solver = new LinearSolver(baseModel, options, _members, _reader, _notes.Add);
    }

    /// <summary>Elements of a range of rows that is solved at a time.</summary>
    internal long RangeElements
    {
        init => _solver.RangeElements = value;
    }

    /// <summary>The base.</summary>
    internal Checkpoint Base => _base;

    /// <summary>What is solved.</summary>
    internal AlignmentKind Kind => _options.Kind;

    /// <summary>Sizes and kinds of the models.</summary>
    internal BlockOptions Options { get; }

    /// <summary>The merged model but for its linear layers: every tensor as base + mean of the experts' differences.</summary>
    public Checkpoint Rest { get; }

    /// <summary>What is out of the ordinary, layer by layer.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>The names of the tensors that are solved for; all others are those of <see cref="Rest"/>.</summary>
    public IEnumerable<string> LinearWeights
    {
        get
        {
            for (int layer = 0; layer <= Options.Layers; layer++)
                foreach (string name in LinearWeightsOf(layer)) yield return name;
        }
    }

    /// <summary>Those of a block, or, one above the last, of the head.</summary>
    internal IEnumerable<string> LinearWeightsOf(int layer) => layer == Options.Layers ? HasHead ? [Options.Names.Head] : []
        : LayerStep.Of(Options, layer).SelectMany(step => step.Linears).Select(linear => linear.Name).Distinct();

    /// <summary>Hidden states and one layer's inputs, in two streams.</summary>
    long StateBytes(IEnumerable<AlignmentExpert> experts) =>
        experts.Sum(expert => expert.Texts.Sum(text => (long)text.Ids.Length)) * 8 * (Options.HiddenSize
            + LayerStep.OfAll(Options).Max(step => step.Inputs));

    bool HasHead => !Options.TiedEmbeddings && !_options.IsRegMean;

    /// <summary>Goes through all layers, from the bottom up.</summary>
    /// <param name="write">Takes the merged rows.</param>
    /// <param name="layerDone">Told the number of each block that is done, and of the head.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <exception cref="RecallException">Inputs that are not finite.</exception>
    public void Run(MergedRows write, Action<int>? layerDone = null, CancellationToken cancellation = default) =>
        Run(write, null, layerDone, cancellation);

    /// <summary>Goes through all layers of the one expert for its statistics only; nothing is solved.</summary>
    internal void Measure(Action<string, SecondMoment> moments, Action<int>? layerDone, CancellationToken cancellation) =>
        Run(null, (input, system) => moments(input, system.Moments[0]), layerDone, cancellation);

    /// <summary>Goes through all layers of an align whose experts are adapters, and gives their updates as factors.</summary>
    internal void RunFactors(
        Action<string, Tensor, Tensor> factors, Action<string, StepSystem>? systems, Action<int>? layerDone, CancellationToken cancellation)
    {
        _solver.Factors = factors;
        Run((_, _, _) => { }, systems, layerDone, cancellation);
    }

    internal void Run(
        MergedRows? write, Action<string, StepSystem>? systems, Action<int>? layerDone, CancellationToken cancellation,
        FinishedLayers? finished = null)
    {
        using var quiet = no_grad();
        foreach (var member in _members)
        {
            member.Own?.Embed(member.Expert.Checkpoint, member.Options, _reader);
            member.Merged?.Embed(Rest, Options, _reader);
        }
        bool IsFinished(int layer) => finished?.Contains(layer) == true || (layer == Options.Layers && !HasHead);
        for (int layer = 0; layer < Options.Layers; layer++)
        {
            if (finished is not null && Enumerable.Range(layer, Options.Layers + 1 - layer).All(IsFinished)) return;
            Load(layer, cancellation);
            BeginBlock(layer);
            foreach (var step in LayerStep.Of(Options, layer))
            {
                cancellation.ThrowIfCancellationRequested();
                if (IsFinished(layer)) PassStep(step, finished!);
                else RunStep(step, write, systems);
            }
            layerDone?.Invoke(layer);
        }
        if (IsFinished(Options.Layers)) return;
        RunHead(write, systems, cancellation);
        layerDone?.Invoke(Options.Layers);
    }

    IEnumerable<Checkpoint> Models => _members.Select(member => member.Expert.Checkpoint).Prepend(_base);

    IEnumerable<StoredTensor> Stored(int layer) => Models.SelectMany(model => Options.LayerTensors(layer)
        .SelectMany(tensor => model.Require(Options.NameOf(layer, tensor.Name), tensor.Shape).Stored));

    void Load(int layer, CancellationToken cancellation)
    {
        _buffer.Load(Stored(layer), cancellation);
        if (layer + 1 == Options.Layers) return;
        foreach (var stored in Stored(layer + 1).Distinct<StoredTensor>(ReferenceEqualityComparer.Instance)) stored.File.Prefetch(stored.Offset, stored.Length);
    }

    void BeginBlock(int layer)
    {
        var linears = Options.Linears(layer).Select(linear => linear.Tensor).ToHashSet(StringComparer.Ordinal);
        var small = Options.LayerTensors(layer).Where(tensor => !linears.Contains(tensor.Name)).ToList();
        foreach (var member in _members) member.Begin(layer, Rest, Options, small, _reader);
    }

    void RunStep(LayerStep step, MergedRows? write, Action<string, StepSystem>? systems)
    {
        foreach (var member in _members) member.Begin(step);
        var statistics = _members.Select(member => member.Statistics()).ToArray();
        using var system = _solver.System(step.Input, statistics, step.Linears, solve: write is not null, mayFold: true);
        systems?.Invoke(step.Input, system);
        void Next(Member member, Action<int, string, Tensor>? outputs) => member.NextOwn(step, _reader, outputs);
        StepTargets? targets = null;
        if (write is not null) system.Distil();
        if (_options.Kind == AlignmentKind.Distil) targets = new StepTargets(_members, statistics, system, step, Next);
        else foreach (var member in _members.Where(member => member.Own is not null)) Next(member, null);
        if (write is null) return;
        using (targets)
        {
            var weights = step.Linears.ToDictionary(linear => linear.Linear, linear =>
                _solver.Solve(linear, system, targets, write, keep: _members.Any(member => member.Merged is not null)));
            foreach (var member in _members) member.NextMerged(step, weights!);
            foreach (var weight in weights.Values) weight?.Dispose();
        }
    }

    /// <summary>Brings the texts through a step that is solved: with each expert's weights, and with the merged ones.</summary>
    void PassStep(LayerStep step, FinishedLayers finished)
    {
        using var scope = NewDisposeScope();
        foreach (var member in _members) member.Begin(step);
        foreach (var member in _members.Where(member => member.Own is not null)) member.NextOwn(step, _reader, null);
        if (_members.All(member => member.Merged is null)) return;
        var weights = step.Linears.ToDictionary(linear => linear.Linear, linear => ExpertUpdate.Rows(
            linear.View(finished.Weight(linear.Name), _reader), 0, linear.Shape[0], _reader).to_type(ComputeTypes.Of(_options.Compute)));
        foreach (var member in _members) member.NextMerged(step, weights);
    }

    void RunHead(MergedRows? write, Action<string, StepSystem>? systems, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        _buffer.Load([], cancellation);
        using var merged = ModelHead.Read(Rest, Options, ScalarType.Float32, _reader);
        foreach (var member in _members)
        {
            if (member.Own is null) continue;
            using var own = ModelHead.Read(member.Expert.Checkpoint, member.Options, ScalarType.Float32, _reader);
            member.BeginHead(own, merged);
        }
        var statistics = _members.Select(member => member.Statistics()).ToArray();
        // Sums of a vocabulary's outputs would take more than the moments.
        var head = new StepLinear(LayerStep.HeadInput, Options.Names.Head, Options.EmbeddingShape);
        using var system = _solver.System(LayerStep.HeadInput, statistics, [head], solve: write is not null, mayFold: false);
        systems?.Invoke(LayerStep.HeadInput, system);
        if (write is null) return;
        system.Distil();
        using var targets = _options.Kind == AlignmentKind.Distil ? new StepTargets(_members, statistics, system.Moments) : null;
        _solver.Solve(head, system, targets, write, keep: false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var member in _members) member.Dispose();
    }
}
