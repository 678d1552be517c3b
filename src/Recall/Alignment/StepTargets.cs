using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Σ_i W_i C_i of a step in distil, C_i = Σ w xᵀx̂: x what the expert feeds its own layer, x̂ what the merged model feeds it. W_i C_i is
/// W_base C_i + τ_i C_i, or, where the layers have fewer outputs than inputs, the sum over tokens of w (W_i x)ᵀx̂, of which the expert's
/// own pass has computed the first factor. An expert with a card only has C_i = G_i.
/// </summary>
sealed class StepTargets : IDisposable
{
    readonly IReadOnlyList<SecondMoment> _moments;
    readonly StepSums? _sums;
    readonly bool[] _cardOnly;
    readonly Tensor?[] _crosses;                         // C_i: [in, in]
    readonly Dictionary<string, Tensor> _outputs = [];   // Σ w (W_i x)ᵀx̂ by linear layer: [out, in]
    Tensor? _crossSum;

    /// <summary>Goes through a step with every expert's own stream, which moves on.</summary>
    public StepTargets(
        IReadOnlyList<Member> members, IReadOnlyList<LayerStatistics?> statistics, StepSystem system, LayerStep step,
        Action<Member, Action<int, string, Tensor>?> next)
    {
        (_moments, _sums) = (system.Moments, system.Sums);
        _cardOnly = [.. statistics.Select(measured => measured is null)];
        _crosses = new Tensor?[members.Count];
        int inputs = step.Inputs;
        bool byOutputs = step.Linears.Sum(linear => linear.Shape[0]) < inputs;
        for (int i = 0; i < members.Count; i++)
        {
            if (statistics[i] is not { } measured) continue;
            if (byOutputs)
            {
                next(members[i], (batch, linear, output) => measured.AddCross(batch, output, Outputs(linear, output.shape[^1], inputs)));
                continue;
            }
            var own = members[i].Own!.Inputs;
            if (_sums is null) _crosses[i] = Cross(measured, own, inputs);
            else Fold(members[i], measured, own, inputs);
            next(members[i], null);
        }
        if (_sums is null || _crossSum is null) return;
        foreach (var linear in _sums.Linears)
            _sums.Walk(null, linear, (first, rows, _) => _sums.Targets(linear.Linear).narrow(0, first, rows.shape[0]).AddIn(rows.Product(_crossSum)));
        _crossSum.Dispose();
    }

    /// <summary>The same for a layer whose own outputs nobody needs: the head.</summary>
    public StepTargets(IReadOnlyList<Member> members, IReadOnlyList<LayerStatistics?> statistics, IReadOnlyList<SecondMoment> moments)
    {
        _moments = moments;
        _cardOnly = [.. statistics.Select(measured => measured is null)];
        _crosses = [.. members.Zip(statistics, (member, measured) =>
            measured is null ? null : Cross(measured, member.Own!.Inputs, moments[0].Size))];
    }

    void Fold(Member member, LayerStatistics measured, IReadOnlyList<Tensor> own, int inputs)
    {
        using var cross = Cross(measured, own, inputs);
        foreach (var linear in _sums!.Linears)
        {
            var targets = _sums.Targets(linear.Linear);
            _sums.Walk(member, linear, (first, rows, update) =>
                targets.narrow(0, first, rows.shape[0]).AddIn(update!.Times(left => left.Product(cross))));
        }
        _crossSum ??= zeros([inputs, inputs], ScalarType.Float64).DetachFromDisposeScope();
        _crossSum.AddIn(cross);
    }

    static Tensor Cross(LayerStatistics measured, IReadOnlyList<Tensor> own, int inputs)
    {
        var cross = zeros([inputs, inputs], ScalarType.Float64).DetachFromDisposeScope();
        for (int batch = 0; batch < own.Count; batch++) measured.AddCross(batch, own[batch], cross);
        return cross;
    }

    Tensor Outputs(string linear, long outputs, int inputs)
    {
        if (_sums is not null) return _sums.Targets(linear);
        if (!_outputs.TryGetValue(linear, out var sum)) _outputs.Add(linear,
            sum = zeros([outputs, inputs], ScalarType.Float64).DetachFromDisposeScope());
        return sum;
    }

    /// <summary>Σ W_i C_i of some rows of a linear layer: [rows, in].</summary>
    public Tensor Rows(string linear, long first, Tensor baseRows, IReadOnlyList<ExpertUpdate> updates)
    {
        if (_sums is not null) return _sums.Targets(linear).narrow(0, first, baseRows.shape[0]);
        using var scope = NewDisposeScope();
        var sum = _outputs.TryGetValue(linear, out var outputs) ? outputs.narrow(0, first, baseRows.shape[0]).clone()
            : zeros_like(baseRows);
        for (int i = 0; i < updates.Count; i++)
        {
            if (_crosses[i] is { } cross) sum.AddIn(updates[i].Times(left => left.Product(cross)));
            else if (_cardOnly[i]) sum.AddIn(updates[i].Times(_moments[i].After));
        }
        if (CrossSum() is { } crosses) sum.AddIn(baseRows.Product(crosses));
        return sum.MoveToOuterDisposeScope();
    }

    Tensor? CrossSum()
    {
        if (_crossSum is not null) return _crossSum;
        for (int i = 0; i < _crosses.Length; i++)
        {
            if (_crosses[i] is null && !_cardOnly[i]) continue;
            _crossSum ??= zeros([_moments[0].Size, _moments[0].Size], ScalarType.Float64).DetachFromDisposeScope();
            if (_crosses[i] is { } cross) _crossSum.AddIn(cross);
            else _moments[i].AddTo(_crossSum);
        }
        return _crossSum;
    }

    public void Dispose()
    {
        foreach (var cross in _crosses) cross?.Dispose();
        foreach (var sum in _outputs.Values) sum.Dispose();
        _crossSum?.Dispose();
    }
}
