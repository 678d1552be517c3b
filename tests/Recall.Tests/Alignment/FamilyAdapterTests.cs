using System.Text.Json.Nodes;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Tests.Representations;
using static Recall.Tests.Alignment.FamilyModels;

namespace Recall.Tests.Alignment;

/// <summary>Adapters on fused layers, on Conv1D and on the experts of a mixture, merged into one.</summary>
public sealed class FamilyAdapterTests : TorchTests
{
    [Theory]
    [InlineData("phi3", AlignmentKind.Align)]
    [InlineData("gpt2", AlignmentKind.Align)]
    [InlineData("gpt2", AlignmentKind.Distil)]
    [InlineData("mixtral", AlignmentKind.Align)]
    public void They_give_an_adapter_that_is_the_dense_merge(string family, AlignmentKind kind)
    {
        using var folder = new TemporaryFolder();
        var baseModel = Base(family);
        var (adapters, options) = (Adapters(folder, baseModel), new AlignmentOptions { Kind = kind });
        AlignedAdapter.Write(folder["merged"], "base", baseModel, adapters, options, kind == AlignmentKind.Align ? null : 56);
        AssertNear(1e-5, Weights(LoraAdapter.Open(folder["merged"]).Apply(baseModel)), GoldenAlignment.Merge(baseModel, adapters, options));
        var config = JsonNode.Parse(File.ReadAllText(folder["merged", "adapter_config.json"]))!;
        Assert.Equal(family == "gpt2", (bool)config["fan_in_fan_out"]!);
    }

    [Fact]
    public void Stacked_experts_make_no_adapter()
    {
        using var folder = new TemporaryFolder();
        var baseModel = Base("granitemoe");
        var error = Assert.Throws<RecallException>(() => AlignedAdapter.Write(folder["merged"], "base", baseModel,
            [new AlignmentExpert("same", baseModel, Texts(1, 2))], new AlignmentOptions { Kind = AlignmentKind.Align }, null));
        Assert.Contains("block_sparse_moe.input_linear.weight holds experts stacked in one tensor", error.Message);
    }

    static List<AlignmentExpert> Adapters(TemporaryFolder folder, Checkpoint baseModel)
    {
        var linears = LayerStep.OfAll(Recall.Representations.BlockOptions.Read(baseModel)).SelectMany(step => step.Linears).ToList();
        return
        [
            .. Enumerable.Range(0, 2).Select(i =>
            {
                var random = new Random(i);
                float[] Values(long count) => [.. Enumerable.Range(0, (int)count).Select(_ => (float)(random.NextDouble() - 0.5) * 0.3f)];
                LoraAdapterWriter.Write(folder[$"adapter-{i}"],
                    [.. linears.Select(linear => new LoraFactors(linear.Name[..^7], (int)linear.Shape[0], (int)linear.Shape[1], 2, Values(2 * linear.Shape[1]),
                        Values(2 * linear.Shape[0]), 4))], new LoraWriteOptions { BaseModel = "base" });
                return new AlignmentExpert($"adapter-{i}", LoraAdapter.Open(folder[$"adapter-{i}"]).Apply(baseModel), Texts(i, 6));
            }),
        ];
    }
}
