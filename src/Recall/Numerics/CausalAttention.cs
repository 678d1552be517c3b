using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Recall.Numerics;

/// <summary>Sizes of an attention.</summary>
/// <param name="Texts">Texts that are computed together, B.</param>
/// <param name="Tokens">Tokens of each, T.</param>
/// <param name="Heads">Heads of the queries, H.</param>
/// <param name="KeyValueHeads">Heads of keys and values; divides H: each serves H / this heads of queries.</param>
/// <param name="HeadDim">Values of a head, D.</param>
readonly record struct AttentionSizes(int Texts, int Tokens, int Heads, int KeyValueHeads, int HeadDim);

/// <summary>
/// softmax(scale · q kᵀ) v, where the token t sees the tokens t − window + 1 … t (arXiv 1706.03762; heads of keys and values shared as in
/// arXiv 2305.13245). In float32, whatever the type of the tensors: scores of sixteen queries at a time, none of those that nobody sees.
/// Sums go in the order of the tokens, so that the bits depend neither on the number of threads nor on the width of the vectors.
/// </summary>
static unsafe class CausalAttention
{
    const int Tile = 64;            // keys, or values of a head, that a product computes at a time: four vectors
    const int Rows = 4;             // queries that it computes at a time
    const int Block = 16;           // queries whose scores are in memory at a time
    const int Part = 256;           // queries that a thread takes at a time

    /// <summary>Computes an attention.</summary>
    /// <typeparam name="T">float, or ushort for bfloat16.</typeparam>
    /// <param name="sizes">Sizes.</param>
    /// <param name="queries">[B, T, H, D], rotated.</param>
    /// <param name="keys">[B, T, key-value heads, D], rotated.</param>
    /// <param name="values">[B, T, key-value heads, D].</param>
    /// <param name="output">[B, T, H, D].</param>
    /// <param name="scale">What scores are multiplied by.</param>
    /// <param name="window">Tokens that each sees, itself included; at least 1.</param>
    /// <param name="threads">Threads at most.</param>
    public static void Compute<T>(AttentionSizes sizes, ReadOnlySpan<T> queries, ReadOnlySpan<T> keys, ReadOnlySpan<T> values, Span<T> output, float scale,
        int window, int threads) where T : unmanaged
    {
        long tokens = (long)sizes.Texts * sizes.Tokens;
        ArgumentOutOfRangeException.ThrowIfNotEqual(queries.Length, tokens * sizes.Heads * sizes.HeadDim);
        ArgumentOutOfRangeException.ThrowIfNotEqual(keys.Length, tokens * sizes.KeyValueHeads * sizes.HeadDim);
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, keys.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(output.Length, queries.Length);
        int parts = (sizes.Tokens + Part - 1) / Part, count = sizes.Texts * sizes.KeyValueHeads * parts;
        fixed (T* q = queries, k = keys, v = values, o = output)
        {
            var work = new Work<T>(sizes, q, k, v, o, scale, window);
            // The last parts see the most: they come first.
            void Run(int i) => work.Run(i / parts / sizes.KeyValueHeads, i / parts % sizes.KeyValueHeads, parts - 1 - i % parts);
            if (threads <= 1 || count == 1)
                for (int i = 0; i < count; i++) Run(i);
            else Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, Run);
        }
    }

    sealed class Work<T>(AttentionSizes sizes, T* queries, T* keys, T* values, T* output, float scale, int window) where T : unmanaged
    {
        readonly int _dim = sizes.HeadDim, _width = Padded(sizes.HeadDim);

        // One part of the queries of one text, of all heads that share these keys.
        public void Run(int text, int shared, int part)
        {
            int first = part * Part, end = Math.Min(first + Part, sizes.Tokens);
            int start = (int)Math.Max(0, (long)first - window + 1) / Tile * Tile, padded = Padded(end - start);
            int memory = padded * _dim + padded * _width + Block * padded + Block * _dim + Block * _width;
            float* turned = (float*)NativeMemory.AlignedAlloc((nuint)memory * sizeof(float), 64);
            try
            {
                float* rows = turned + padded * _dim, scores = rows + padded * _width, block = scores + Block * padded, results = block + Block * _dim;
                Pack(text, shared, start, end, turned, rows);
                int group = sizes.Heads / sizes.KeyValueHeads;
                for (int head = shared * group; head < (shared + 1) * group; head++)
                    for (int query = first; query < end; query += Block)
                        Attend(text, head, query, Math.Min(Block, end - query), start, turned, rows, scores, padded, block, results);
            }
            finally
            {
                NativeMemory.AlignedFree(turned);
            }
        }

        // Keys as [tile, D, 64], values as [tokens, width]; tokens and values that are not there are 0.
        void Pack(int text, int shared, int start, int end, float* turned, float* rows)
        {
            Span<float> key = stackalloc float[_dim];
            for (int token = 0, padded = Padded(end - start); token < padded; token++)
            {
                var value = new Span<float>(rows + (long)token * _width, _width);
                value[_dim..].Clear();
                if (start + token < end)
                {
                    Read(keys, sizes.KeyValueHeads, text, start + token, shared, key);
                    Read(values, sizes.KeyValueHeads, text, start + token, shared, value[.._dim]);
                }
                else
                {
                    key.Clear();
                    value.Clear();
                }
                float* column = turned + (long)(token / Tile) * Tile * _dim + token % Tile;
                for (int i = 0; i < key.Length; i++) column[i * Tile] = key[i];
            }
        }

        // A block of queries of one head. Memory begins with the token 'start'; so do the numbers of keys, here.
        void Attend(int text, int head, int query, int count, int start, float* turned, float* rows, float* scores, int padded, float* block, float* results)
        {
            for (int row = 0; row < Block; row++)
            {
                var scaled = new Span<float>(block + row * _dim, _dim);
                if (row >= count) scaled.Clear();
                else
                {
                    Read(queries, sizes.Heads, text, query + row, head, scaled);
                    Elementwise.Scale(scaled, scale, scaled);
                }
            }
            int Seen(int row) => (int)Math.Max(0, (long)query + row - window + 1 - start);
            int reach = query + count - start;
            for (int tile = Seen(0) / Tile; tile * Tile < reach; tile++)
                for (int row = 0; row < count; row += Rows)
                    Multiply(block + row * _dim, _dim, turned + (long)tile * Tile * _dim, Tile, scores + row * padded + tile * Tile, padded, _dim);
            Span<float> sums = stackalloc float[Block];
            for (int four = 0; four < count; four += Rows)
            {
                int from = Seen(four) / 16 * 16, to = Math.Min(four + Rows, count) + query - start;
                for (int row = four; row < Math.Min(four + Rows, count); row++)
                    sums[row] = Exponentials(scores + row * padded, from, Seen(row), Math.Min(query + row - start + 1, reach), (to + 15) / 16 * 16);
                for (int column = 0; column < _width; column += Tile)
                    Multiply(scores + four * padded + from, padded, rows + (long)from * _width + column, _width, results + four * _width + column, _width,
                        to - from);
            }
            for (int row = 0; row < count; row++)
            {
                var attended = new Span<float>(results + row * _width, _dim);
                Elementwise.Scale(attended, 1 / sums[row], attended);
                var place = new Span<T>(output + Place(sizes.Heads, text, query + row, head), _dim);
                if (typeof(T) == typeof(float)) attended.CopyTo(MemoryMarshal.Cast<T, float>(place));
                else BFloat16.FromSingle(attended, MemoryMarshal.Cast<T, ushort>(place));
            }
        }

        long Place(int heads, int text, int token, int head) => (((long)text * sizes.Tokens + token) * heads + head) * _dim;

        void Read(T* from, int heads, int text, int token, int head, Span<float> values)
        {
            var place = new ReadOnlySpan<T>(from + Place(heads, text, token, head), _dim);
            if (typeof(T) == typeof(float)) MemoryMarshal.Cast<T, float>(place).CopyTo(values);
            else BFloat16.ToSingle(MemoryMarshal.Cast<T, ushort>(place), values);
        }
    }

    // Scores of the keys 'from' to 'to', both multiples of 16, become e^(score − largest), 0 where they are not seen. Their sum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Exponentials(float* scores, int from, int firstSeen, int endSeen, int to)
    {
        for (int i = from; i < firstSeen; i++) scores[i] = float.NegativeInfinity;
        for (int i = endSeen; i < to; i++) scores[i] = float.NegativeInfinity;
        var lanes = Vector512.Create(float.NegativeInfinity);
        for (int i = from; i < to; i += 16) lanes = Vector512.Max(lanes, Vector512.Load(scores + i));
        var eight = Vector256.Max(lanes.GetLower(), lanes.GetUpper());
        var four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        var shift = Vector512.Create(Math.Max(Math.Max(four[0], four[1]), Math.Max(four[2], four[3])));
        var sums = Vector512<float>.Zero;
        for (int i = from; i < to; i += 16)
        {
            var value = Softmax.Exp(Vector512.Load(scores + i) - shift);
            value.Store(scores + i);
            sums += value;
        }
        return BlockRows.Sum(sums);
    }

    // [4, depth] · [depth, 64] → [4, 64]; strides are those of rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Multiply(float* left, nint leftStride, float* right, nint rightStride, float* product, nint productStride, int depth)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        for (int k = 0; k < depth; k++)
        {
            Vector512<float> r0 = Vector512.Load(right), r1 = Vector512.Load(right + 16), r2 = Vector512.Load(right + 32), r3 = Vector512.Load(right + 48);
            var x = Vector512.Create(left[0]);
            a0 = Vector512.FusedMultiplyAdd(x, r0, a0);
            a1 = Vector512.FusedMultiplyAdd(x, r1, a1);
            a2 = Vector512.FusedMultiplyAdd(x, r2, a2);
            a3 = Vector512.FusedMultiplyAdd(x, r3, a3);
            x = Vector512.Create(left[leftStride]);
            b0 = Vector512.FusedMultiplyAdd(x, r0, b0);
            b1 = Vector512.FusedMultiplyAdd(x, r1, b1);
            b2 = Vector512.FusedMultiplyAdd(x, r2, b2);
            b3 = Vector512.FusedMultiplyAdd(x, r3, b3);
            x = Vector512.Create(left[2 * leftStride]);
            c0 = Vector512.FusedMultiplyAdd(x, r0, c0);
            c1 = Vector512.FusedMultiplyAdd(x, r1, c1);
            c2 = Vector512.FusedMultiplyAdd(x, r2, c2);
            c3 = Vector512.FusedMultiplyAdd(x, r3, c3);
            x = Vector512.Create(left[3 * leftStride]);
            d0 = Vector512.FusedMultiplyAdd(x, r0, d0);
            d1 = Vector512.FusedMultiplyAdd(x, r1, d1);
            d2 = Vector512.FusedMultiplyAdd(x, r2, d2);
            d3 = Vector512.FusedMultiplyAdd(x, r3, d3);
            left++;
            right += rightStride;
        }
        Store(product, a0, a1, a2, a3);
        Store(product + productStride, b0, b1, b2, b3);
        Store(product + 2 * productStride, c0, c1, c2, c3);
        Store(product + 3 * productStride, d0, d1, d2, d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(float* to, Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        a.Store(to);
        b.Store(to + 16);
        c.Store(to + 32);
        d.Store(to + 48);
    }

    static int Padded(int count) => (count + Tile - 1) / Tile * Tile;
}
