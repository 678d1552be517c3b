using Recall.Checkpoints.Gguf;

namespace Recall.Tests.Checkpoints.Gguf;

public class RotaryFactorsTests
{
    // Llama 3.1 8B: head size 128, theta 500000, factor 8, as convert_hf_to_gguf.py of llama.cpp computes the tensor.
    static float[] OfLlama31() =>
    [
        .. Enumerable.Range(0, 64).Select(i =>
        {
            double wavelength = 2 * Math.PI / (1 / Math.Pow(500_000, i / 64.0)), smooth = (8192 / wavelength - 1) / 3;
            return (float)(wavelength < 2048 ? 1 : wavelength > 8192 ? 8 : 1 / ((1 - smooth) / 8 + smooth));
        }),
    ];

    [Fact]
    public void ScalingOfLlama3IsFoundAgain()
    {
        var scaling = new RotaryFactors(OfLlama31()).Scaling(128, 500_000)!;
        Assert.Equal("llama3", (string)scaling["rope_type"]!);
        Assert.Equal(8, (double)scaling["factor"]!);
        Assert.Equal(8192, (long)scaling["original_max_position_embeddings"]!);
    }

    [Fact]
    public void OtherFactorsAreNotTakenForIt()
    {
        var factors = OfLlama31();
        factors[40] *= 1.1f;
        Assert.Null(new RotaryFactors(factors).Scaling(128, 500_000));
        Assert.Null(new RotaryFactors(OfLlama31()).Scaling(128, 10_000));
        Assert.Null(new RotaryFactors(OfLlama31()).Scaling(64, 500_000));
        Assert.Null(new RotaryFactors([1, 1, 1, 1]).Scaling(8, 10_000));
        Assert.Null(new RotaryFactors([1, 1, 1, float.NaN]).Scaling(8, 10_000));
    }
}
