using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Recall.Numerics;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// The steps of a block between its matrix products, by kernels of our own: each is one pass over memory, in float32 within, where libtorch
/// takes several. In a small model in bfloat16, whose products are fast, libtorch's steps take as long as the products. Where vectors have
/// 512 bits; elsewhere, and for gradients, libtorch computes them. The bits do not depend on the number of threads.
/// </summary>
static class BlockKernels
{
    const int RowsAtOnce = 64;

    delegate void RowStep(Span<float> row, ReadOnlySpan<float> other);

    /// <summary>Whether these can be computed here: float32 or bfloat16, all of one type, below 2 GiB, and no gradient asked for.</summary>
    public static bool Serve(params ReadOnlySpan<Tensor> inputs)
    {
        if (!Vector512.IsHardwareAccelerated) return false;
        var type = inputs[0].dtype;
        if (type is not (ScalarType.Float32 or ScalarType.BFloat16)) return false;
        foreach (var input in inputs)
            if (input.dtype != type || input.requires_grad || input.numel() > int.MaxValue / sizeof(float)) return false;
        return true;
    }

    /// <summary>x / √(mean(x²) + ε) · w over the last dimension, or · (1 + w).</summary>
    public static Tensor RmsNorm(Tensor input, Tensor weight, double epsilon, bool plusOne = false)
    {
        // [..., n], [n] → [..., n]
        using var scope = NewDisposeScope();
        var factors = new float[weight.shape[0]];
        new Values(weight).Read(0, factors);
        for (int i = 0; plusOne && i < factors.Length; i++) factors[i] += 1;
        return Rows(input.contiguous(), null, (row, _) => BlockRows.RmsNorm(row, factors, epsilon)).MoveToOuterDisposeScope();
    }

    /// <summary>gate · sigmoid(gate) · up.</summary>
    public static Tensor SiluTimes(Tensor gate, Tensor up)
    {
        // [..., n] twice → [..., n]
        using var scope = NewDisposeScope();
        return Rows(gate.contiguous(), up.contiguous(), BlockRows.SiluTimes).MoveToOuterDisposeScope();
    }

    /// <summary>Attention where each token sees those before it and itself, within the window; scores times the scale.</summary>
    public static Tensor Attend(Tensor queries, Tensor keys, Tensor values, double scale, long window)
    {
        // [B, H, T, D], [B, Hkv, T, D] twice → [B, H, T, D]
        using var scope = NewDisposeScope();
        var (q, k, v) = (TokensFirst(queries), TokensFirst(keys), TokensFirst(values));
        var output = empty_like(q);
        var shape = queries.shape;
        var sizes = new AttentionSizes((int)shape[0], (int)shape[2], (int)shape[1], (int)keys.shape[1], (int)shape[3]);
        if (q.dtype == ScalarType.Float32) Compute<float>();
        else Compute<ushort>();
        return output.transpose(1, 2).MoveToOuterDisposeScope();

        // As the linear layers give and take them; keys and values that several heads share are in memory once.
        static Tensor TokensFirst(Tensor x) => x.transpose(1, 2).contiguous();

        static Span<T> Of<T>(Tensor x) where T : unmanaged => MemoryMarshal.Cast<byte, T>(x.bytes);

        void Compute<T>() where T : unmanaged =>
            CausalAttention.Compute<T>(sizes, Of<T>(q), Of<T>(k), Of<T>(v), Of<T>(output), (float)scale, (int)window, get_num_threads());
    }

    static Tensor Rows(Tensor input, Tensor? other, RowStep step)
    {
        var output = empty_like(input);
        var (from, beside, to) = (new Values(input), new Values(other ?? input), new Values(output));
        int width = (int)input.shape[^1], rows = (int)(input.numel() / width), threads = get_num_threads(), chunks = (rows + RowsAtOnce - 1) / RowsAtOnce;
        void Run(int chunk)
        {
            float[] row = new float[width], second = new float[other is null ? 0 : width];
            for (long i = (long)chunk * RowsAtOnce; i < Math.Min((long)(chunk + 1) * RowsAtOnce, rows); i++)
            {
                from.Read(i * width, row);
                beside.Read(i * width, second);
                step(row, second);
                to.Write(i * width, row);
            }
        }
        if (threads <= 1 || chunks == 1)
            for (int chunk = 0; chunk < chunks; chunk++) Run(chunk);
        else Parallel.For(0, chunks, new ParallelOptions { MaxDegreeOfParallelism = threads }, Run);
        return output;
    }

    /// <summary>The values of a contiguous tensor, which must outlive this.</summary>
    readonly unsafe struct Values(Tensor tensor)
    {
        readonly void* _start = Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.bytes));
        readonly bool _half = tensor.dtype == ScalarType.BFloat16;

        public void Read(long at, Span<float> values)
        {
            if (_half) BFloat16.ToSingle(new ReadOnlySpan<ushort>((ushort*)_start + at, values.Length), values);
            else new ReadOnlySpan<float>((float*)_start + at, values.Length).CopyTo(values);
        }

        public void Write(long at, ReadOnlySpan<float> values)
        {
            if (_half) BFloat16.FromSingle(values, new Span<ushort>((ushort*)_start + at, values.Length));
            else values.CopyTo(new Span<float>((float*)_start + at, values.Length));
        }
    }
}
