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
    RidgedSum? _first, _second;
    readonly Tensor? _inverse;      // RegMean's A⁺

    /// <summary>Takes the moments over.</summary>
    /// <param name="shares">Each expert's part of a mean.</param>
    /// <param name="moments">Their moments, as many.</param>
    /// <param name="options">What is solved.</param>
    /// <param name="note">Told of what is out of the ordinary.</param>
    public StepSystem(IReadOnlyList<double> shares, IReadOnlyList<SecondMoment> moments, AlignmentOptions options, Action<string> note)
    {
        (_shares, _moments, _options, _note, Size) = (shares, moments, options, note, moments[0].Size);
        bool dual = moments.All(moment => moment.Matrix is null) && !options.IsRegMean;
        using var scope = NewDisposeScope();
        if (!dual)
        {
            Sum = zeros([moments[0].Size, moments[0].Size], ScalarType.Float64);
            foreach (var moment in moments) moment.AddTo(Sum);
            Sum.DetachFromDisposeScope();
        }
        if (!HasInputs(Sum?.diagonal().sum().item<double>() ?? moments.Sum(moment => moment.Trace))) return;
        if (options.IsRegMean)
        {
            _inverse = PseudoInverse(Sum!).DetachFromDisposeScope();
            return;
        }
        _first = Make(options.FirstRidge);
        Ridge = _first.Ridge;
        if (options.Kind == AlignmentKind.Distil) _second = Make(options.Ridge ?? AlignmentOptions.DistilRidge);
        RidgedSum Make(double ridge) => dual ? RidgedSum.Dual(moments, ridge) : RidgedSum.Of(Sum!, ridge, note);
    }

    /// <summary>Takes sums over, into which the moments are folded; <see cref="Settle"/> comes before the first rows.</summary>
    public StepSystem(IReadOnlyList<double> shares, StepSums sums, AlignmentOptions options, Action<string> note)
    {
        (_shares, _moments, _options, _note, _sums) = (shares, [], options, note, sums);
        (Sum, Size) = (sums.Sum, (int)sums.Sum.shape[0]);
        using var scope = NewDisposeScope();
        if (!HasInputs(Sum.diagonal().sum().item<double>())) return;
        _first = RidgedSum.Of(Sum, options.FirstRidge, note);
        Ridge = _first.Ridge;
    }

    /// <summary>
    /// Solves folded sums for align, and gives up what is not needed any more: of A and its two factorisations no more than two are in
    /// memory at a time.
    /// </summary>
    public void Settle()
    {
        if (_sums is null || _first is null) return;
        foreach (var linear in _sums.Linears)
        {
            _sums.Walk(null, linear, (first, rows, _) =>
            {
                var part = _sums.Numerator(linear.Linear).narrow(0, first, rows.shape[0]);
                part.copy_(_first.Solve(part));
            });
        }
        _first.Dispose();
        if (_options.Kind == AlignmentKind.Distil) _second = RidgedSum.Of(Sum!, _options.Ridge ?? AlignmentOptions.DistilRidge, _note);
        Sum!.Dispose();
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

    /// <summary>A = Σ G_i; null where the dual form is used.</summary>
    public Tensor? Sum { get; }

    /// <summary>The sums into which the moments are folded; null: they are kept.</summary>
    public StepSums? Sums => _sums;

    /// <summary>The ridge of align, absolute: a card of the merged model needs it.</summary>
    public double Ridge { get; }

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
        using var scope = NewDisposeScope();
        var mean = zeros_like(baseRows);
        if (_first is null)
            for (int i = 0; i < updates.Count; i++) mean.add_(updates[i].Whole() * _shares[i]);
        if (_first is null && _inverse is null) return (baseRows + mean).MoveToOuterDisposeScope();
        if (_sums is not null)
        {
            var solved = baseRows + _sums.Numerator(linear).narrow(0, first, baseRows.shape[0]);
            return (_second is null ? solved : _second.Solve(targets!() + solved * _second.Ridge)).MoveToOuterDisposeScope();
        }
        var numerator = zeros_like(baseRows);
        for (int i = 0; i < updates.Count; i++)
        {
            numerator.add_(updates[i].Times(_moments[i].After));
            if (_moments[i].Ridge > 0) numerator.add_(updates[i].Whole() * _moments[i].Ridge);
        }
        if (_inverse is not null) return (baseRows + mean + (numerator - mean.mm(Sum!)).mm(_inverse)).MoveToOuterDisposeScope();
        var aligned = baseRows + _first!.Solve(numerator);
        if (_second is null) return aligned.MoveToOuterDisposeScope();
        return _second.Solve(targets!() + aligned * _second.Ridge).MoveToOuterDisposeScope();
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
            if (_first is null) rights.Add(right * _shares[i]);
            else rights.Add(_first.Solve(_moments[i].After(right) + right * _moments[i].Ridge));
        }
        if (lefts.Count == 0) return null;
        return (cat(lefts, 1).MoveToOuterDisposeScope(), cat(rights, 0).MoveToOuterDisposeScope());
    }

    static Tensor PseudoInverse(Tensor sum)
    {
        using var scope = NewDisposeScope();
        var (values, vectors) = linalg.eigh(sum);
        var kept = values.gt(values.max() * SmallestEigenvalue);
        var inverse = where(kept, values.reciprocal(), zeros_like(values));
        return (vectors * inverse).mm(vectors.t()).MoveToOuterDisposeScope();
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
