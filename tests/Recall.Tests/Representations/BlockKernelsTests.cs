using System.Runtime.Intrinsics;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Tests.Representations;

/// <summary>The kernels between a block's products against libtorch's operations, which take their place elsewhere.</summary>
public class BlockKernelsTests : TorchTests
{
    public static TheoryData<ScalarType, double> Types() => new() { { ScalarType.Float32, 2e-6 }, { ScalarType.BFloat16, 0.012 } };

    [Theory, MemberData(nameof(Types))]
    public void RmsNormIsThatOfLibtorch(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        foreach (long width in new[] { 1L, 17, 64, 576 })
        {
            var (input, weight) = (Random([3, 50, width], type, 1), Random([width], type, 2));
            var wide = input.to_type(ScalarType.Float32);
            var wanted = wide * (wide.square().mean([-1], keepdim: true) + 1e-5).rsqrt() * weight.to_type(ScalarType.Float32);
            GoldenTensors.AssertNear(wanted, BlockKernels.RmsNorm(input, weight, 1e-5), $"width {width}", tolerance * 4);
            // Heads of queries: a view that is not contiguous.
            GoldenTensors.AssertNear(wanted.transpose(0, 1), BlockKernels.RmsNorm(input.transpose(0, 1), weight, 1e-5), "transposed", tolerance * 4);
        }
    }

    [Theory, MemberData(nameof(Types))]
    public void SiluTimesIsThatOfLibtorch(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var (gate, up) = (Random([2, 70, 130], type, 3), Random([2, 70, 130], type, 4));
        var wanted = nn.functional.silu(gate.to_type(ScalarType.Float32)) * up.to_type(ScalarType.Float32);
        GoldenTensors.AssertNear(wanted, BlockKernels.SiluTimes(gate, up), "silu", tolerance * 8);
    }

    [Theory, MemberData(nameof(Types))]
    public void AttentionIsThatOfLibtorch(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var (queries, keys, values) = (Random([2, 6, 75, 32], type, 5), Random([2, 2, 75, 32], type, 6), Random([2, 2, 75, 32], type, 7));
        var (wideKeys, wideValues) = (Wide(keys).repeat_interleave(3, 1), Wide(values).repeat_interleave(3, 1));
        foreach (long window in new[] { 75L, 9 })
        {
            var seen = ones(75, 75, ScalarType.Bool).tril().logical_and(ones(75, 75, ScalarType.Bool).triu(1 - window));
            var wanted = nn.functional.scaled_dot_product_attention(Wide(queries), wideKeys, wideValues, seen);
            GoldenTensors.AssertNear(wanted, BlockKernels.Attend(queries, keys, values, 1 / Math.Sqrt(32), window), $"window {window}", tolerance * 3);
        }
    }

    [Fact]
    public void TheBitsDoNotDependOnTheNumberOfThreads()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var (input, weight) = (Random([5, 80, 576], ScalarType.BFloat16, 8), Random([576], ScalarType.BFloat16, 9));
        var heads = input.view(5, 80, 9, 64).transpose(1, 2);
        Tensor[] Compute() => [BlockKernels.RmsNorm(input, weight, 1e-5), BlockKernels.SiluTimes(input, input), BlockKernels.Attend(heads, heads, heads, 0.1, 80)];
        var one = Compute();
        int threads = get_num_threads();
        set_num_threads(3);
        try
        {
            foreach (var (first, second) in one.Zip(Compute())) Assert.True(first.equal(second).all().item<bool>());
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void GradientsAndOtherTypesAreLeftToLibtorch()
    {
        using var scope = NewDisposeScope();
        using var single = zeros(2, 2);
        Assert.Equal(Vector512.IsHardwareAccelerated, BlockKernels.Serve(single, single));
        using var trained = zeros(2, 2, requires_grad: true);
        Assert.False(BlockKernels.Serve(single, trained));
        using var wide = zeros(2, 2, ScalarType.Float64);
        Assert.False(BlockKernels.Serve(wide));
        using var half = zeros(2, 2, ScalarType.BFloat16);
        Assert.False(BlockKernels.Serve(single, half));
    }

    static Tensor Random(long[] shape, ScalarType type, int seed) => randn(shape, generator: new Generator((ulong)seed)).to_type(type);

    static Tensor Wide(Tensor x) => x.to_type(ScalarType.Float32);
}
