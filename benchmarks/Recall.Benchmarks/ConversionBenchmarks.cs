using BenchmarkDotNet.Attributes;
using Recall.Numerics;

namespace Recall.Benchmarks;

/// <summary>Encoding and decoding of one tile, in each type that weights have. Bytes per second: tile elements × size ÷ time.</summary>
public class ConversionBenchmarks
{
    const int Elements = 256 * 1024;

    readonly float[] _values = new float[Elements];
    byte[] _bytes = [];

    /// <summary>The type of the weights.</summary>
    [Params(DType.BF16, DType.F16, DType.F32, DType.F8E4M3, DType.F8E5M2)]
    public DType Type { get; set; }

    /// <summary>Weights as models have them.</summary>
    [GlobalSetup]
    public void Fill()
    {
        var random = new Random(1);
        for (int i = 0; i < Elements; i++) _values[i] = (float)(random.NextDouble() - 0.5) * 0.1f;
        _bytes = new byte[Elements * Type.Size()];
        PlainEncoding.Of(Type).Encode(_values, _bytes);
    }

    /// <summary>To float32.</summary>
    [Benchmark]
    public void Decode() => PlainEncoding.Of(Type).Decode(_bytes, _values);

    /// <summary>From float32.</summary>
    [Benchmark]
    public void Encode() => PlainEncoding.Of(Type).Encode(_values, _bytes);
}

/// <summary>BFloat16 with each vector width: the conversions of nearly every merge.</summary>
[ShortRunJob]
public class BFloat16Benchmarks
{
    readonly float[] _values = new float[256 * 1024];
    readonly ushort[] _codes = new ushort[256 * 1024];

    /// <summary>Widening.</summary>
    [Benchmark]
    public void ToSingle() => BFloat16.ToSingle(_codes, _values);

    /// <summary>Rounding.</summary>
    [Benchmark]
    public void FromSingle() => BFloat16.FromSingle(_values, _codes);

    /// <summary>The one-element conversion in a loop, to compare with.</summary>
    [Benchmark(Baseline = true)]
    public void Scalar()
    {
        for (int i = 0; i < _values.Length; i++) _codes[i] = ((BFloat16)_values[i]).Bits;
    }
}
