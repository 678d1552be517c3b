using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// The least-squares system of one step: what its linear layers have in common. Rows of their weights are solved for one range after
/// another.
/// </summary>
/// <remarks>
/// align: ΔW = (Σ τ_i G_i)(A + λ₀I)⁻¹, A = Σ G_i. distil, with W₀ = W_base + ΔW: W = W₀ + (Σ (W_i C_i − W₀ G_i))(A + λI)⁻¹, computed as the
/// same (Σ W_i C_i + λ W₀)(A + λI)⁻¹. RegMean: W = W̄ + (Σ (W_i − W̄) G_i) A⁺.
/// </remarks>
sealed class StepSystem : IDisposable
{
    /// <summary>Eigenvalues of RegMean's sum that are no larger than this part of the largest count as zero.</summary>
    const double SmallestEigenvalue = 1e-6;

    /// <summary>The note where there is nothing to solve with; of an expert of a mixture the other one.</summary>
    public const string NoInputs = "no text gives it anything but zeros: it takes the mean of the experts",
        NoTokens = "no token was routed to it: it takes the mean of the experts";

    readonly IReadOnlyList<double> _shares;
    readonly IReadOnlyList<SecondMoment> _moments;
    readonly AlignmentOptions _options;
    readonly StepSums? _sums;
    readonly Action<string> _note;
    readonly bool _hasInputs;
    RidgedSum? _first, _second;
    Tensor? _inverse;               // RegMean's A⁺

    /// <summary>Takes the moments over.</summary>
    /// <param name="shares">Each expert's part of a mean.</param>
    /// <param name="moments">Their moments, as many.</param>
    /// <param name="options">What is solved.</param>
    /// <param name="note">Told of what is out of the ordinary.</param>
    public StepSystem(IReadOnlyList<double> shares, IReadOnlyList<SecondMoment> moments, AlignmentOptions options, Action<string> note)
    {
        (_shares, _moments, _options, _note, Size) = (shares, moments, options, note, moments[0].Size);
        _hasInputs = HasInputs(moments.Sum(moment => moment.Trace));
    }

    /// <summary>Takes sums over, into which the moments are folded.</summary>
    public StepSystem(IReadOnlyList<double> shares, StepSums sums, AlignmentOptions options, Action<string> note)
    {
        (_shares, _moments, _options, _note, _sums) = (shares, [], options, note, sums);
        (Sum, Size) = (sums.Sum, (int)sums.Sum.shape[0]);
        using var diagonal = Sum.diagonal();
        _hasInputs = HasInputs(TorchThreads.Total(diagonal));
    }

    /// <summary>
    /// Factorises for align; folded sums are solved at once, in their place. After it the ridge is known, and the sum whole.
    /// </summary>
    public void Align()
    {
        if (!_hasInputs) return;
        if (_sums is null && (_options.IsRegMean || _moments.Any(moment => moment.Matrix is not null))) Sum = Added();
        if (_options.IsRegMean)
        {
            _inverse = PseudoInverse(Sum!);
            return;
        }
        _first = Sum is null ? RidgedSum.Dual(_moments, _options.FirstRidge)
            : RidgedSum.Of(_sums is null ? Sum.clone() : Sum.alias(), _options.FirstRidge, _note);
        Ridge = _first.Ridge;
        if (_sums is null) return;
        foreach (var linear in _sums.Linears)
        {
            _sums.Walk(null, linear, (first, rows, _) =>
            {
                var part = _sums.Numerator(linear.Linear).narrow(0, first, rows.shape[0]);
                part.copy_(_first.Solve(part));
            });
        }
        _first.Restore();
        _first.Dispose();
    }

    Tensor Added()
    {
        var sum = zeros([Size, Size], ScalarType.Float64);
        foreach (var moment in _moments) moment.AddTo(sum);
        return sum;
    }

    /// <summary>Factorises for distil, in the sum's own memory, which is not needed any more.</summary>
    public void Distil()
    {
        if (!_hasInputs || _options.Kind != AlignmentKind.Distil) return;
        double ridge = _options.Ridge ?? AlignmentOptions.DistilRidge;
        _second = Sum is null ? RidgedSum.Dual(_moments, ridge) : RidgedSum.Of(Sum.alias(), ridge, _note);
    }

    bool HasInputs(double trace)
    {
        if (!double.IsFinite(trace)) throw new RecallException("the layer's inputs are not finite: an expert, or the merge so far, "
            + "overflows");
        if (trace > 0) return true;
        _note(NoInputs);
        return false;
    }

    /// <summary>Values of an input.</summary>
    public int Size { get; }

    /// <summary>A = Σ G_i, from <see cref="Align"/> to <see cref="Distil"/>; null where the dual form is used.</summary>
    public Tensor? Sum { get; private set; }

    /// <summary>The sums into which the moments are folded; null: they are kept.</summary>
    public StepSums? Sums => _sums;

    /// <summary>The ridge of align, absolute: a card of the merged model needs it.</summary>
    public double Ridge { get; private set; }

    /// <summary>The moments; none where they are folded into sums.</summary>
    public IReadOnlyList<SecondMoment> Moments => _moments;

    /// <summary>The merged rows of a linear layer.</summary>
    /// <param name="linear">Its name in the step.</param>
    /// <param name="first">The first row.</param>
    /// <param name="baseRows">W_base: [rows, in].</param>
    /// <param name="updates">τ_i, one an expert; none where the moments are folded.</param>
    /// <param name="targets">Σ W_i C_i; null outside distil.</param>
    public Tensor Solve(string linear, long first, Tensor baseRows, IReadOnlyList<ExpertUpdate> updates, Func<Tensor>? targets)
    {
        if (_hasInputs && _first is null && _inverse is null) throw new InvalidOperationException("Align comes before the first rows");
        using var scope = NewDisposeScope();
        var mean = zeros_like(baseRows);
        if (_first is null)
            for (int i = 0; i < updates.Count; i++) mean.AddIn(updates[i].Whole().Scaled(_shares[i]));
        if (_first is null && _inverse is null) return baseRows.Plus(mean).MoveToOuterDisposeScope();
        if (_sums is not null)
        {
            var solved = baseRows.Plus(_sums.Numerator(linear).narrow(0, first, baseRows.shape[0]));
            return (_second is null ? solved : _second.Solve(targets!().Plus(solved.Scaled(_second.Ridge)))).MoveToOuterDisposeScope();
        }
        var numerator = zeros_like(baseRows);
        for (int i = 0; i < updates.Count; i++)
        {
            numerator.AddIn(updates[i].Times(_moments[i].After));
            if (_moments[i].Ridge > 0) numerator.AddIn(updates[i].Whole().Scaled(_moments[i].Ridge));
        }
        if (_inverse is not null) return baseRows.Plus(mean).Plus(numerator.Minus(mean.Product(Sum!)).Product(_inverse)).MoveToOuterDisposeScope();
        var aligned = baseRows.Plus(_first!.Solve(numerator));
        if (_second is null) return aligned.MoveToOuterDisposeScope();
        return _second.Solve(targets!().Plus(aligned.Scaled(_second.Ridge))).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The update of align as factors: [B_1 … B_N] and A_i G_i A⁻¹ on top of each other; an expert without an update has no part. Null
    /// where no expert has one.
    /// </summary>
    public (Tensor Left, Tensor Right)? SolveFactors(IReadOnlyList<(Tensor Left, Tensor Right)?> updates)
    {
        using var scope = NewDisposeScope();
        var (lefts, rights) = (new List<Tensor>(), new List<Tensor>());
        for (int i = 0; i < updates.Count; i++)
        {
            if (updates[i] is not var (left, right)) continue;
            right = right.to_type(ScalarType.Float64);
            lefts.Add(left);
            if (_first is null) rights.Add(right.Scaled(_shares[i]));
            else rights.Add(_first.Solve(_moments[i].After(right).Plus(right.Scaled(_moments[i].Ridge))));
        }
        if (lefts.Count == 0) return null;
        return (cat(lefts, 1).MoveToOuterDisposeScope(), cat(rights, 0).MoveToOuterDisposeScope());
    }

    static Tensor PseudoInverse(Tensor sum)
    {
        using var scope = NewDisposeScope();
        var (values, vectors) = TorchThreads.Alone(() => linalg.eigh(sum));
        var kept = values.gt(values.max().Scaled(SmallestEigenvalue));
        var inverse = where(kept, values.reciprocal(), zeros_like(values));
        return (vectors * inverse).Product(vectors.t()).MoveToOuterDisposeScope();
    }

    /// <summary>Whether rows need the experts' updates.</summary>
    public bool NeedsUpdates => _sums is null || _first is null;

    public void Dispose()
    {
        _sums?.Dispose();
        Sum?.Dispose();
        _first?.Dispose();
        _second?.Dispose();
        _inverse?.Dispose();
        foreach (var moment in _moments) moment.Dispose();
    }
}
