using System.Runtime.InteropServices;
using Recall.Numerics;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.TokenSurgery;

/// <summary>
/// Finds the row d of a matrix with the largest |⟨d, r⟩|, for many r at once: products in the type that the CPU multiplies fastest tell which rows can be it,
/// by a bound of their error (Cauchy and Schwarz), and those are compared in float64. So the choice is the same on any CPU and any number of threads; of equal
/// ones the first is taken.
/// </summary>
sealed class LargestProducts : IDisposable
{
    /// <summary>Rows whose products are in memory at once.</summary>
    const int Chunk = 4096;

    readonly Tensor _rows, _rounded;
    readonly (double Length, double Error)[] _chunks;    // the largest length of a row, and of what rounding took from one
    float[] _products = [];

    /// <param name="rows">[rows, width], float32; must outlive this.</param>
    public LargestProducts(Tensor rows) : this(rows, ComputeTypes.Of(Configuration.ComputeType.Auto)) { }

    internal LargestProducts(Tensor rows, ScalarType type)
    {
        using var scope = NewDisposeScope();
        _rows = rows;
        _rounded = rows.to_type(type).DetachFromDisposeScope();
        _chunks = new (double, double)[(rows.shape[0] + Chunk - 1) / Chunk];
        for (int chunk = 0; chunk < _chunks.Length; chunk++)
        {
            using var inner = NewDisposeScope();
            Tensor own = Part(_rows, chunk), lost = own.Minus(Part(_rounded, chunk).to_type(ScalarType.Float32));
            _chunks[chunk] = (Longest(own), Longest(lost));
        }
    }

    static Tensor Part(Tensor rows, int chunk) => rows.narrow(0, (long)chunk * Chunk, Math.Min(Chunk, rows.shape[0] - (long)chunk * Chunk));

    static double Longest(Tensor rows) => SharedRows.Values<float>(rows.norm(1)).Max() * (1 + 1e-5);

    /// <summary>Of each of some groups of vectors the vector and the row with the largest product.</summary>
    /// <param name="vectors">The first vectors of all groups, then the second ones, and so on.</param>
    /// <param name="groups">How many groups.</param>
    /// <returns>For each group which of its vectors, and which row.</returns>
    public (int Vector, int Row)[] Find(float[] vectors, int groups)
    {
        using var scope = NewDisposeScope();
        int width = (int)_rows.shape[1], count = vectors.Length / width;
        using var rounded = tensor(vectors, [count, width]).to_type(_rounded.dtype);
        float[] used = SharedRows.Values<float>(rounded.to_type(ScalarType.Float32));
        var lengths = new (double Length, double Error)[count];
        Parallel.For(0, count, i => lengths[i] = Lengths(vectors.AsSpan(i * width, width), used.AsSpan(i * width, width)));
        var found = new List<(int Vector, int Row, double AtMost)>[groups];
        var least = new double[groups];     // the largest product is at least so large
        for (int group = 0; group < groups; group++) found[group] = [];
        for (int chunk = 0; chunk < _chunks.Length; chunk++)
        {
            using var inner = NewDisposeScope();
            var rows = Part(_rounded, chunk);
            Products(rounded.mm(rows.t()).to_type(ScalarType.Float32));
            int here = (int)rows.shape[0], first = chunk * Chunk;
            var (length, error) = _chunks[chunk];
            Parallel.For(0, groups, group =>
            {
                for (int i = group; i < count; i += groups)
                {
                    var row = _products.AsSpan(i * here, here);
                    float largest = Elementwise.MaxMagnitude(row);
                    double miss = Miss(length, error, lengths[i], width, largest);
                    least[group] = Math.Max(least[group], largest - miss);
                    if (largest + miss < least[group]) continue;
                    for (int at = 0; at < here; at++)
                        if (Math.Abs(row[at]) + miss >= least[group]) found[group].Add((i / groups, first + at, Math.Abs(row[at]) + miss));
                }
            });
        }
        var best = new (int Vector, int Row)[groups];
        for (int group = 0; group < groups; group++)
        {
            var can = found[group].FindAll(each => each.AtMost >= least[group]);
            if (can.Count == 0) throw new RecallException("the rows are too large for products in float32: scale the donor's matrix down");
            (int Vector, int Row)[] rows = [.. can.Select(each => (each.Vector, each.Row)).Order()];
            best[group] = rows.Length == 1 ? rows[0] : Exact(vectors, groups, group, rows);
        }
        return best;
    }

    void Products(Tensor values)
    {
        var bytes = MemoryMarshal.Cast<byte, float>(values.bytes);
        if (_products.Length < bytes.Length) _products = GC.AllocateUninitializedArray<float>(bytes.Length);
        bytes.CopyTo(_products);
    }

    /// <summary>
    /// By how much a product can be wrong: what rounding took from both, the sum's rounding in float32 in any order, and that of the result to bfloat16.
    /// </summary>
    double Miss(double length, double error, (double Length, double Error) vector, int width, float largest)
    {
        double sum = (length + error) * (vector.Length + vector.Error);
        return length * vector.Error + error * (vector.Length + vector.Error) + sum * width * Math.ScaleB(1, -23)
            + (_rounded.dtype == ScalarType.BFloat16 ? largest * Math.ScaleB(1, -8) : 0);
    }

    static (double Length, double Error) Lengths(ReadOnlySpan<float> vector, ReadOnlySpan<float> rounded)
    {
        double squares = 0, errors = 0;
        for (int i = 0; i < vector.Length; i++)
        {
            double lost = (double)vector[i] - rounded[i];
            squares += (double)vector[i] * vector[i];
            errors += lost * lost;
        }
        return (Math.Sqrt(squares), Math.Sqrt(errors));
    }

    (int Vector, int Row) Exact(float[] vectors, int groups, int group, (int Vector, int Row)[] candidates)
    {
        using var scope = NewDisposeScope();
        int width = (int)_rows.shape[1];
        float[] rows = SharedRows.Values<float>(_rows.index_select(0, tensor(candidates.Select(each => (long)each.Row).ToArray())));
        var (best, largest) = (candidates[0], -1.0);
        for (int i = 0; i < candidates.Length; i++)
        {
            double product = Math.Abs(Sums.Dot(rows.AsSpan(i * width, width), vectors.AsSpan((candidates[i].Vector * groups + group) * width, width)));
            if (product > largest) (best, largest) = (candidates[i], product);
        }
        return best;
    }

    /// <inheritdoc/>
    public void Dispose() => _rounded.Dispose();
}
