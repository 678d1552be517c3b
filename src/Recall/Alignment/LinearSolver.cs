using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>Solves for the linear layers of one step, rows by rows: reads the base's and the experts' weights, and gives the merged ones.</summary>
/// <param name="baseModel">The base.</param>
/// <param name="options">What is solved.</param>
/// <param name="members">The experts.</param>
/// <param name="reader">Reads, from the layer that is in memory.</param>
/// <param name="note">Told of what is out of the ordinary.</param>
sealed class LinearSolver(
    Checkpoint baseModel, AlignmentOptions options, ImmutableArray<Member> members, TileReader reader, Action<string> note)
{
    /// <summary>Elements of a range of rows that is solved at a time.</summary>
    public long RangeElements { get; set; } = 4 << 20;

    /// <summary>Takes updates as factors, of an align whose experts are adapters; null: whole weights are written.</summary>
    public Action<string, Tensor, Tensor>? Factors { get; set; }

    /// <summary>The system of linear layers that read one input: every expert's moment, and where it is to be solved, factorised for align.</summary>
    /// <param name="input">The input's name in a card.</param>
    /// <param name="statistics">Of each expert; null: it has a card only.</param>
    /// <param name="linears">The layers.</param>
    /// <param name="solve">Whether rows are asked for; false: the moments alone are wanted.</param>
    /// <param name="mayFold">Whether moments may be folded into sums (<see cref="StepSums"/>).</param>
    public StepSystem System(
        string input, LayerStatistics?[] statistics, ImmutableArray<StepLinear> linears, bool solve, bool mayFold)
    {
        long outputs = linears.Sum(linear => linear.Shape[0]);
        int inputs = (int)linears[0].Shape[1];
        var ranks = members.Select((member, i) => statistics[i]?.Count ?? (long?)member.Expert.Card!.Rank);
        bool asTokens = !options.IsRegMean && RidgedSum.IsDualCheaper(ranks, inputs, outputs);
        bool fold = solve && mayFold && Factors is null && !asTokens && !options.IsRegMean && StepSums.IsSmaller(members.Length, inputs, outputs);
        double[] shares = [.. members.Select(member => member.Share)];
        void Note(string what) => note($"{input}: {(what == StepSystem.NoInputs && IsExpert(input) ? StepSystem.NoTokens : what)}");
        SecondMoment Moment(Member member) => member.Moment(input, statistics[members.IndexOf(member)], asTokens);
        try
        {
            var system = fold ? new StepSystem(shares, new StepSums(members, Moment, linears, options.Kind == AlignmentKind.Distil, Walk), options, Note)
                : new StepSystem(shares, [.. members.Select(Moment)], options, Note);
            if (solve) system.Align();
            return system;
        }
        catch (RecallException e)
        {
            throw new RecallException($"{input}: {e.Message}", e);
        }
    }

    static bool IsExpert(string input) => input.Contains(".experts.", StringComparison.Ordinal);

    void Walk(Member? member, StepLinear linear, Action<long, Tensor, ExpertUpdate?> take)
    {
        var source = linear.Source(baseModel, reader);
        var own = member?.Weight(linear, reader);
        long range = Math.Max(1, RangeElements / Math.Max(linear.Shape[1], 1));
        for (long first = 0; first < linear.Shape[0]; first += range)
        {
            using var scope = NewDisposeScope();
            var rows = ExpertUpdate.Rows(source, first, Math.Min(range, linear.Shape[0] - first), reader).to_type(ScalarType.Float64);
            take(first, rows, own is null ? null : ExpertUpdate.Read(source, rows, own, first, reader));
        }
    }

    /// <summary>Solves for a linear layer, range by range, and writes it; gives its weight for the texts' way on, where it is kept.</summary>
    public Tensor? Solve(StepLinear linear, StepSystem system, StepTargets? targets, MergedRows write, bool keep)
    {
        var source = linear.Source(baseModel, reader);
        var weights = Factors is null && !system.NeedsUpdates ? [] : members.Select(member => member.Weight(linear, reader)).ToList();
        var shape = linear.Shape;
        if (Factors is not null)
        {
            using var scope = NewDisposeScope();
            if (system.SolveFactors([.. members.Select((member, i) => FactorsOf(member, weights[i], source))]) is var (left, right))
                Factors(linear.Name, left, right);
            return null;
        }
        var whole = keep ? empty([shape[0], shape[1]], ComputeTypes.Of(options.Compute)).DetachFromDisposeScope() : null;
        var turned = linear.Transposed ? empty([shape[1], shape[0]], ScalarType.Float32).DetachFromDisposeScope() : null;
        long range = Math.Max(1, RangeElements / Math.Max(shape[1], 1));
        for (long first = 0; first < shape[0]; first += range)
        {
            using var scope = NewDisposeScope();
            long rows = Math.Min(range, shape[0] - first);
            var baseRows = ExpertUpdate.Rows(source, first, rows, reader).to_type(ScalarType.Float64);
            IReadOnlyList<ExpertUpdate> updates = [.. weights.Select(weight => ExpertUpdate.Read(source, baseRows, weight, first, reader))];
            var merged = system.Solve(linear.Linear, first, baseRows, updates,
                targets is null ? null : () => targets.Rows(linear.Linear, first, baseRows, updates));
            var values = merged.to_type(ScalarType.Float32).contiguous();
            if (turned is null) write(linear.Name, linear.FirstRow + first, values);
            turned?.narrow(1, first, rows).copy_(values.t());
            whole?.narrow(0, first, rows).copy_(values);
        }
        if (turned is null) return whole;
        // Rows of a matrix that is stored the other way round are its columns: it is written as a whole.
        using var scoped = NewDisposeScope();
        write(linear.Name, 0, turned);
        whole?.copy_(turned.t());
        turned.Dispose();
        return whole;
    }

    (Tensor Left, Tensor Right)? FactorsOf(Member member, TensorSource own, TensorSource source)
    {
        if (ExpertUpdate.SameStored(own, source)) return null;
        return ExpertUpdate.Factors(source, own, reader) ?? throw new RecallException(
            $"{member.Expert.Name}: its {source.Name} is no low-rank update of the base {baseModel.Path}; only adapters on this base give an "
                + $"adapter: write a whole checkpoint, or distil to a rank");
    }
}
