using CsCheck;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Numerics;

namespace Recall.Tests.Checkpoints.Lora;

public class LoraAdapterWriterTests
{
    static readonly string[] Names =
        ["q_proj", "a.q_proj", "b.a.q_proj", "model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj", "layers.1.mlp.up_proj"];

    static readonly double[] Alphas = [8, 16, 2.5, 1];

    static readonly Gen<LoraFactors> AnyFactors = Gen.Select(
        Gen.Int[0, Names.Length - 1].Select(i => Names[i]), Gen.Int[1, 4], Gen.Int[1, 5], Gen.Int[1, 3],
        Gen.Int[0, 3].Select(i => Alphas[i]),
        (name, outputs, inputs, rank, alpha) =>
            new LoraFactors(name, outputs, inputs, rank, Draw(rank * inputs, 1), Draw(outputs * rank, 2), alpha));

    [Fact]
    public void AdapterIsReadAsItWasWrittenWhateverItsRanksAndAlphas() =>
        Gen.Select(AnyFactors.Array[1, 6], Gen.Bool).Sample((drawn, rslora) =>
    {
        var factors = drawn.DistinctBy(factor => factor.Module).ToList();
        using var folder = new TemporaryFolder();
        LoraAdapterWriter.Write(folder["adapter"], factors, new LoraWriteOptions { BaseModel = "tiny/llama", UseRslora = rslora });
        string[] expected = ["adapter_config.json", "adapter_model.safetensors"];
        Assert.Equal(expected, Directory.GetFiles(folder["adapter"]).Select(Path.GetFileName).Order());
        var read = LoraAdapter.Open(folder["adapter"]);
        Assert.Equal("tiny/llama", read.Config.BaseModel);
        Assert.Equal(factors.Select(factor => factor.Module).Order(StringComparer.Ordinal), read.Modules.Select(module => module.Name));
        foreach (var module in read.Modules)
        {
            var factor = factors.Single(factor => factor.Module == module.Name);
            Assert.Equal(factor.Rank, module.Rank);
            Assert.Equal((float)(factor.Alpha / (rslora ? Math.Sqrt(factor.Rank) : factor.Rank)), module.Scale);
            Assert.Equal(factor.A.ToArray(), LoraCase.Values(module.A));
            Assert.Equal(factor.B.ToArray(), LoraCase.Values(module.B));
            Assert.Equal(new Shape(factor.Outputs, factor.Rank), module.B.Shape);
        }
    }, iter: 100);

    [Fact]
    public void FactorsOfAGoldenAdapterWrittenAgainGiveTheSameModel()
    {
        var golden = new LoraCase(Fixtures.Path("lora"), "patterns-first-wins");
        var original = LoraAdapter.Open(golden.Adapters.Single());
        using var folder = new TemporaryFolder();
        var factors = original.Modules.Select(module => new LoraFactors(
            module.Name, (int)module.B.Shape[0], (int)module.A.Shape[1], module.Rank,
            LoraCase.Values(module.A), LoraCase.Values(module.B), (double)module.Scale * module.Rank)).ToList();
        LoraAdapterWriter.Write(folder["again"], factors, new LoraWriteOptions { BaseModel = "x" });
        var again = LoraAdapter.Open(folder["again"]).Apply(golden.Base);
        foreach (var tensor in golden.Apply().Tensors) Assert.Equal(LoraCase.Values(tensor), LoraCase.Values(again.Find(tensor.Name)!));
    }

    [Fact]
    public void FactorsMayBeWrittenInANarrowType()
    {
        using var folder = new TemporaryFolder();
        var factors = new LoraFactors("m", 1, 2, 1, new float[] { 1, 1.0001f }, new float[] { 2 }, 8);
        LoraAdapterWriter.Write(folder["a"], [factors], new LoraWriteOptions { BaseModel = "x", Type = DType.BF16 });
        Assert.Equal([1f, 1f], LoraCase.Values(LoraAdapter.Open(folder["a"]).Modules.Single().A));
    }

    [Fact]
    public void NothingAndTwiceTheSameAreRefused()
    {
        using var folder = new TemporaryFolder();
        var options = new LoraWriteOptions { BaseModel = "x" };
        var factor = new LoraFactors("m", 1, 1, 1, new float[1], new float[1], 8);
        Assert.Throws<RecallException>(() => LoraAdapterWriter.Write(folder["a"], [], options));
        var e = Assert.Throws<RecallException>(() => LoraAdapterWriter.Write(folder["a"], [factor, factor], options));
        Assert.Contains("'m'", e.Message);
        Assert.False(File.Exists(folder["a", "adapter_config.json"]));
    }

    static float[] Draw(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle())];
    }
}
