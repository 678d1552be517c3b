using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Goes through the rows of a linear layer, range by range, all in double precision: takes the first row, W_base of the range [rows, in],
/// and the update of a member, where one is given.
/// </summary>
delegate void RowWalk(Member? member, StepLinear linear, Action<long, Tensor, ExpertUpdate?> take);

/// <summary>
/// A step's system with every expert's second moment folded in as soon as it is known: A = Σ G_i, and for each linear layer Σ τ_i G_i, and
/// Σ W_i C_i of the experts that have a card only. One moment is in memory at a time, whatever the number of experts.
/// </summary>
sealed class StepSums : IDisposable
{
    readonly Dictionary<string, Tensor> _numerators = [], _targets = [];

    /// <summary>Folds.</summary>
    /// <param name="members">The experts.</param>
    /// <param name="moment">The second moment of one, the caller's to dispose.</param>
    /// <param name="linears">The step's linear layers.</param>
    /// <param name="distil">Whether targets are needed, too.</param>
    /// <param name="walk">Reads rows.</param>
    public StepSums(
        IReadOnlyList<Member> members, Func<Member, SecondMoment> moment, IReadOnlyList<StepLinear> linears, bool distil, RowWalk walk)
    {
        Linears = linears;
        Walk = walk;
        long size = linears[0].Shape[1];
        Sum = zeros([size, size], ScalarType.Float64).DetachFromDisposeScope();
        foreach (var linear in linears) _numerators.Add(linear.Linear, Zeros(linear));
        var cards = members.Where(member => member.Own is null).ToList();
        foreach (var member in cards) Fold(member, moment, distil);
        // A is that of the cards alone, yet: W_base Σ G_i of them costs one product, and no matrix more.
        if (distil && cards.Count > 0)
            foreach (var linear in linears)
                walk(null, linear, (first, rows, _) => _targets[linear.Linear].narrow(0, first, rows.shape[0]).AddIn(rows.Product(Sum)));
        foreach (var member in members.Where(member => member.Own is not null)) Fold(member, moment, false);
    }

    /// <summary>The step's linear layers.</summary>
    public IReadOnlyList<StepLinear> Linears { get; }

    /// <summary>Reads rows.</summary>
    public RowWalk Walk { get; }

    /// <summary>A = Σ G_i: [in, in].</summary>
    public Tensor Sum { get; }

    /// <summary>Σ τ_i G_i of a linear layer: [out, in].</summary>
    public Tensor Numerator(string linear) => _numerators[linear];

    /// <summary>Σ W_i C_i of a linear layer, as far as it is known: [out, in].</summary>
    public Tensor Targets(string linear)
    {
        if (!_targets.TryGetValue(linear, out var sum))
            _targets.Add(linear, sum = Zeros(Linears.First(each => each.Linear == linear)));
        return sum;
    }

    /// <summary>
    /// Whether the sums take less memory than a moment an expert: they grow with the layers' outputs, not with the number of experts.
    /// </summary>
    public static bool IsSmaller(int experts, long inputs, long outputs) => outputs < experts * inputs;

    static Tensor Zeros(StepLinear linear) => zeros([linear.Shape[0], linear.Shape[1]], ScalarType.Float64).DetachFromDisposeScope();

    void Fold(Member member, Func<Member, SecondMoment> read, bool asTarget)
    {
        using var moment = read(member);
        moment.AddTo(Sum);
        foreach (var linear in Linears)
        {
            var (numerator, targets) = (_numerators[linear.Linear], asTarget ? Targets(linear.Linear) : null);
            Walk(member, linear, (first, rows, update) =>
            {
                var product = update!.Times(moment.After);
                numerator.narrow(0, first, rows.shape[0]).AddIn(product);
                targets?.narrow(0, first, rows.shape[0]).AddIn(product);
                if (moment.Ridge > 0) numerator.narrow(0, first, rows.shape[0]).AddIn(update.Whole().Scaled(moment.Ridge));
            });
        }
    }

    public void Dispose()
    {
        Sum.Dispose();
        foreach (var tensor in _numerators.Values.Concat(_targets.Values)) tensor.Dispose();
    }
}
