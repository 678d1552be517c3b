using Recall.Checkpoints;
using Recall.Representations;
using Recall.Tests.Alignment;
using static TorchSharp.torch;

namespace Recall.Tests.Representations;

/// <summary>Divergences of next-token distributions, against the formula over the whole vocabulary.</summary>
public sealed class DivergenceTests : TorchTests
{
    /// <summary>The test's base with a vocabulary that takes several parts of the head.</summary>
    static Checkpoint Model(int vocabulary, int seed)
    {
        var origin = GoldenAlignment.Base("full");
        var random = new Random(seed);
        var options = BlockOptions.Read(origin);
        var shape = new Shape(vocabulary, options.HiddenSize);
        var config = origin.Config.DeepClone().AsObject();
        config["vocab_size"] = vocabulary;
        return (origin with { Config = config }).With([.. origin.Tensors.Select(tensor => tensor.Shape.Rank == 2 && tensor.Shape[0] == options.VocabularySize
            ? new MemoryTensor(tensor.Name, shape, [.. Enumerable.Range(0, (int)shape.Elements).Select(_ => (float)random.NextDouble() * 4 - 2)]) : tensor)]);
    }

    [Theory]
    [InlineData(5, 3)]
    [InlineData(4096, 1)]
    [InlineData(4097, 300)]     // one more than a part of the head; more places than are taken at a time
    [InlineData(9000, 2)]
    public void It_is_the_sum_of_the_formula_over_all_places(int vocabulary, int places)
    {
        Checkpoint[] models = [.. Enumerable.Range(0, 3).Select(seed => Model(vocabulary, seed))];
        var options = BlockOptions.Read(models[0]);
        random.manual_seed(vocabulary);
        Tensor[] states = [.. models.Select(_ => randn([places, options.HiddenSize]))];
        double[] sums = new Divergence(models[0], models[1..]).Sum(states, TestContext.Current.CancellationToken);
        Tensor LogShares(int model)
        {
            using var head = ModelHead.Read(models[model], options, ScalarType.Float32, new TileReader());
            var weight = tensor(GoldenAlignment.Read(models[model].Find(options.HeadWeight)!), [vocabulary, options.HiddenSize]);
            return head.Normalize(states[model]).to_type(ScalarType.Float64).mm(weight.to_type(ScalarType.Float64).t()).log_softmax(1);
        }
        var own = LogShares(0);
        for (int other = 1; other < 3; other++)
        {
            double expected = (own.exp() * (own - LogShares(other))).sum().item<double>();
            Assert.Equal(1, sums[other - 1] / expected, 1e-4);
        }
    }

    [Fact]
    public void A_model_does_not_diverge_from_itself()
    {
        var model = Model(5000, 1);
        var states = randn([4, BlockOptions.Read(model).HiddenSize]);
        Assert.Equal(0, new Divergence(model, [model]).Sum([states, states], TestContext.Current.CancellationToken)[0], 1e-9);
    }
}
