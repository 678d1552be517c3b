using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>The donor's rows of the tokens that both models have: what a new token's row is expressed by.</summary>
sealed class SharedRows : IDisposable
{
    /// <summary>Rows that are worked on together: the bases of their pursuits are in memory at once.</summary>
    const int Batch = 64, MostInBatch = 256;

    /// <summary>Values of those bases, 64 MiB of float64, where that is more than for <see cref="Batch"/> rows.</summary>
    const long MostBasisValues = 8 << 20;

    readonly TensorSource _base;

    /// <param name="donor">The donor's matrix.</param>
    /// <param name="own">The base's.</param>
    /// <param name="pairs">Rows of the donor and of the base for the same token.</param>
    public SharedRows(TensorSource donor, TensorSource own, IReadOnlyList<(int Donor, int Base)> pairs)
    {
        Donor = empty([donor.Shape[0], donor.Shape[1]], ScalarType.Float32);
        donor.ReadInto(Donor, new TileReader());
        using (var finite = Donor.isfinite().all())
            if (!finite.item<bool>()) throw new RecallException($"{donor.Name} of the donor holds NaN or infinities: rows cannot be compared; is the file whole?");
        using var index = tensor(pairs.Select(pair => (long)pair.Donor).ToArray());
        Shared = Donor.index_select(0, index);
        BaseRows = [.. pairs.Select(pair => pair.Base)];
        _base = own;
    }

    /// <summary>All rows of the donor, [donor's rows, donor's width].</summary>
    public Tensor Donor { get; }

    /// <summary>Those of the shared tokens, [shared, donor's width].</summary>
    public Tensor Shared { get; }

    /// <summary>The base's rows of the same tokens, by number.</summary>
    public IReadOnlyList<int> BaseRows { get; }

    /// <summary>Values in a row of the base.</summary>
    public int BaseWidth => checked((int)_base.Shape[1]);

    /// <summary>The base's rows of some shared tokens in a row, float64, [count, base's width].</summary>
    public Tensor OfBase(int first, int count)
    {
        var values = new float[(long)count * BaseWidth];
        var reader = new TileReader();
        for (int i = 0; i < count; i++)
            reader.ReadUpTo(_base, (long)BaseRows[first + i] * BaseWidth, values.AsSpan(i * BaseWidth, BaseWidth), BaseWidth);
        using var rows = tensor(values, [count, BaseWidth]);
        return rows.to_type(ScalarType.Float64);
    }

    /// <summary>Recipes for rows of the donor.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="options">How.</param>
    /// <param name="pairs">The donor's rotary pairs, where the method turns rows.</param>
    /// <param name="done">Told of each batch: how many rows are done.</param>
    /// <param name="cancellation">Stops between batches, and between the steps of pursuits.</param>
    public List<RowRecipe> Approximate(
        IReadOnlyList<int> rows, SurgeryOptions options, RotaryPairs? pairs, Action<int> done, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        bool pursues = options.Method is Approximation.Omp or Approximation.RopePursuit;
        using var largest = pursues ? new LargestProducts(Shared) : null;
        int size = pursues ? (int)Math.Clamp(MostBasisValues / ((long)options.K * Donor.shape[1]), Batch, MostInBatch) : Batch;
        Func<long[], IEnumerable<RowRecipe>> make = options.Method switch
        {
            Approximation.CommonInterpolation => batch => Neighbours.Recipes(this, batch, options),
            Approximation.LandmarkPca => new LandmarkMap(this).Recipes,
            Approximation.SparseTokenBasis => new TokenBasis(this, options.K).Recipes,
            _ => batch => Pursuits.Recipes(this, largest!, batch, options.K, pairs, cancellation),
        };
        var made = new List<RowRecipe>(rows.Count);
        for (int first = 0; first < rows.Count; first += size)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            made.AddRange(make([.. rows.Skip(first).Take(size).Select(row => (long)row)]));
            done(made.Count);
        }
        return made;
    }

    /// <summary>A tensor's values, float32 or float64.</summary>
    public static T[] Values<T>(Tensor values) where T : struct
    {
        using var plain = values.contiguous();
        return MemoryMarshal.Cast<byte, T>(plain.bytes).ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Donor.Dispose();
        Shared.Dispose();
    }
}
