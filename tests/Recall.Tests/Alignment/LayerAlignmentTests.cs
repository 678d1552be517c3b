using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;

namespace Recall.Tests.Alignment;

/// <summary>What holds of align and distil whatever the models.</summary>
public sealed class LayerAlignmentTests
{
    static readonly AlignmentOptions Align = new() { Kind = AlignmentKind.Align }, Distil = new() { Kind = AlignmentKind.Distil };

    static Dictionary<string, float[]> Weights(Checkpoint model) => model.Tensors.ToDictionary(tensor => tensor.Name, GoldenAlignment.Read);

    static void AssertNear(double bound, Dictionary<string, float[]> merged, Dictionary<string, float[]> expected)
    {
        var (difference, tensor) = GoldenAlignment.Farthest(merged, expected);
        Assert.True(difference <= bound, $"{tensor} differs by {difference}");
    }

    [Theory]
    [InlineData(AlignmentKind.Align)]
    [InlineData(AlignmentKind.Distil)]
    public void One_expert_alone_gives_itself_back_as_far_as_the_ridge_lets_it(AlignmentKind kind)
    {
        // With enough texts for the inputs to fill their space; where they do not, the base's weight stands.
        var random = new Random(1);
        var expert = GoldenAlignment.Experts("full")[0] with
        {
            Texts = [.. Enumerable.Range(0, 30).Select(_ =>
                new AlignmentText([.. Enumerable.Range(0, 25).Select(_ => random.Next(72))], 20))],
        };
        var merged = GoldenAlignment.Merge(GoldenAlignment.Base("full"), [expert], new AlignmentOptions { Kind = kind, Ridge = 1e-10 });
        AssertNear(kind == AlignmentKind.Align ? 1e-5 : 1e-3, merged, Weights(expert.Checkpoint));
    }

    [Theory]
    [InlineData(AlignmentKind.Align)]
    [InlineData(AlignmentKind.Distil)]
    public void Equal_experts_give_themselves_whatever_their_texts(AlignmentKind kind)
    {
        var experts = GoldenAlignment.Experts("full");
        var equal = experts.Select((expert, i) => expert with { Name = $"copy {i}", Checkpoint = experts[0].Checkpoint }).ToList();
        var merged = GoldenAlignment.Merge(GoldenAlignment.Base("full"), equal, new AlignmentOptions { Kind = kind, Ridge = 1e-10 });
        AssertNear(kind == AlignmentKind.Align ? 1e-5 : 1e-3, merged, Weights(experts[0].Checkpoint));
    }

    [Fact]
    public void One_after_another_by_cards_is_all_at_once()
    {
        var (baseModel, experts) = (GoldenAlignment.Base("full"), GoldenAlignment.Experts("full"));
        var joint = GoldenAlignment.Merge(baseModel, experts, Align);
        var two = experts.Take(2).ToList();
        var card = InMemoryCards.Of(baseModel, InMemoryCards.Moments(baseModel, two, Align), null, experts: 2);
        var merged = baseModel.With([.. GoldenAlignment.Merge(baseModel, two, Align).Select(tensor =>
            new MemoryTensor(tensor.Key, baseModel.Find(tensor.Key)!.Shape, tensor.Value))]);
        var sequential = GoldenAlignment.Merge(baseModel, [new AlignmentExpert("merged", merged, [], card), experts[2]], Align);
        AssertNear(2e-5, sequential, joint);
    }

    [Fact]
    public void The_order_of_the_experts_does_not_matter()
    {
        var (baseModel, experts) = (GoldenAlignment.Base("adapter-like"), GoldenAlignment.Experts("adapter-like"));
        AssertNear(1e-5, GoldenAlignment.Merge(baseModel, [.. experts.Reverse()], Distil),
            GoldenAlignment.Merge(baseModel, experts, Distil));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(3)]
    public void Adapters_give_an_adapter_that_is_the_dense_merge(int? rank)
    {
        using var folder = new TemporaryFolder();
        var baseModel = GoldenAlignment.Base("adapter-like");
        var adapters = LoraExperts(folder, baseModel);
        var losses = AlignedAdapter.Write(folder["merged"], "base", baseModel, adapters, Align, rank);
        var applied = LoraAdapter.Open(folder["merged"]).Apply(baseModel);
        var dense = GoldenAlignment.Merge(baseModel, adapters, Align);

        Assert.Equal(rank ?? 6, losses.Max(loss => loss.Rank));
        Assert.All(losses, loss => Assert.InRange(loss.Lost, 0, rank is null ? 0 : 0.6));
        if (rank is null) AssertNear(1e-5, Weights(applied), dense);
        double lost = losses.Max(loss => loss.Lost);
        Assert.Equal(rank is not null, lost > 1e-3);
        if (rank is not null) Assert.Equal(lost,
            LostShare(losses.MaxBy(loss => loss.Lost)!.Module + ".weight", applied, dense, baseModel), 1e-4);
    }

    [Fact]
    public void Distil_as_an_adapter_of_full_rank_is_the_dense_merge()
    {
        using var folder = new TemporaryFolder();
        var baseModel = GoldenAlignment.Base("adapter-like");
        var adapters = LoraExperts(folder, baseModel);
        var losses = AlignedAdapter.Write(folder["merged"], "base", baseModel, adapters, Distil, 32);
        Assert.All(losses, loss => Assert.InRange(loss.Lost, 0, 1e-9));
        AssertNear(1e-5, Weights(LoraAdapter.Open(folder["merged"]).Apply(baseModel)), GoldenAlignment.Merge(baseModel, adapters, Distil));
    }

    static double LostShare(string name, Checkpoint applied, Dictionary<string, float[]> dense, Checkpoint baseModel)
    {
        var (kept, before) = (GoldenAlignment.Read(applied.Find(name)!), GoldenAlignment.Read(baseModel.Find(name)!));
        return dense[name].Zip(kept, (one, other) => Math.Pow((double)one - other, 2)).Sum() / dense[name].Zip(before, (one, other) =>
            Math.Pow((double)one - other, 2)).Sum();
    }

    /// <summary>Three adapters of rank 2 on all linear layers, each with the texts of one of the reference's experts.</summary>
    static List<AlignmentExpert> LoraExperts(TemporaryFolder folder, Checkpoint baseModel)
    {
        var texts = GoldenAlignment.Experts("adapter-like").Select(expert => expert.Texts).ToList();
        using var names = new LayerAlignment(baseModel, GoldenAlignment.Experts("adapter-like"), Align);
        return
        [
            .. Enumerable.Range(0, 3).Select(i =>
            {
                var random = new Random(i);
                float[] Values(long count) => [.. Enumerable.Range(0, (int)count).Select(_ => (float)(random.NextDouble() - 0.5) * 0.3f)];
                LoraAdapterWriter.Write(folder[$"adapter-{i}"],
                    [.. names.LinearWeights.Select(name => (Name: name, baseModel.Find(name)!.Shape)).Select(weight =>
                    new LoraFactors(weight.Name[..^7], (int)weight.Shape[0], (int)weight.Shape[1], 2, Values(2 * weight.Shape[1]),
                        Values(2 * weight.Shape[0]), 4))], new LoraWriteOptions { BaseModel = "base" });
                return new AlignmentExpert($"adapter-{i}", LoraAdapter.Open(folder[$"adapter-{i}"]).Apply(baseModel), texts[i]);
            }),
        ];
    }

    [Fact]
    public void Tokens_as_they_are_and_their_matrix_are_one_moment()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var texts = GoldenAlignment.Experts("full")[0].Texts;
        using var set = new TextSet(texts, global::Recall.Representations.BlockOptions.Read(GoldenAlignment.Base("full")));
        var inputs = set.Batches.Select(batch => TorchSharp.torch.rand(batch.Ids.shape[0], batch.Ids.shape[1], 9)).ToList();
        var statistics = new LayerStatistics(set.All, inputs, set.All.Weights(inputs, 1));
        var (matrix, tokens) = (statistics.Moment(asTokens: false), statistics.Moment(asTokens: true));

        Assert.Equal(set.All.Count, tokens.Rank!.Value);
        Assert.Equal(texts.Sum(text => text.Ids.Length), set.All.Count);
        Assert.Equal(2, matrix.Trace, 1e-6);
        Assert.True((matrix.ToMatrix() - tokens.ToMatrix()).abs().max().item<double>() < 1e-7);
    }

    [Theory]
    [InlineData(AlignmentKind.Align, true, 100)]
    [InlineData(AlignmentKind.Distil, true, 16 << 20)]
    [InlineData(AlignmentKind.Distil, false, 100)]
    [InlineData(AlignmentKind.RegMeanPlusPlus, true, 100)]
    public void States_in_files_and_rows_in_ranges_change_nothing(AlignmentKind kind, bool onDisk, long range)
    {
        var (baseModel, experts) = (GoldenAlignment.Base("full"), GoldenAlignment.Experts("full"));
        var options = new AlignmentOptions { Kind = kind, StatesOnDisk = false };
        var expected = GoldenAlignment.Merge(baseModel, experts, options);
        AssertNear(2e-6, GoldenAlignment.Merge(baseModel, experts, options with { StatesOnDisk = onDisk }, out _, range), expected);
    }

    [Fact]
    public void Bfloat16_passes_give_nearly_the_same_weights()
    {
        var (baseModel, experts) = (GoldenAlignment.Base("full"), GoldenAlignment.Experts("full"));
        var (exact, before) = (GoldenAlignment.Merge(baseModel, experts, Distil), Weights(baseModel));
        var rounded = GoldenAlignment.Merge(baseModel, experts,
            Distil with { Compute = global::Recall.Configuration.ComputeType.BFloat16 });
        double Squares(Dictionary<string, float[]> one, Dictionary<string, float[]> other) =>
            one.Sum(tensor => tensor.Value.Zip(other[tensor.Key], (x, y) => Math.Pow((double)x - y, 2)).Sum());
        double share = Math.Sqrt(Squares(rounded, exact) / Squares(exact, before));
        Assert.InRange(share, 1e-5, 0.05);
    }

    [Fact]
    public void Layers_that_see_nothing_but_zeros_take_the_mean_and_say_so()
    {
        var (baseModel, experts) = (GoldenAlignment.Base("adapter-like"), GoldenAlignment.Experts("adapter-like"));
        Checkpoint Silent(Checkpoint model) => model.With([.. model.Tensors.Select(tensor => tensor.Name == "model.layers.1.input_layernorm.weight"
            ? new MemoryTensor(tensor.Name, tensor.Shape, new float[tensor.Shape.Elements]) : tensor)]);
        var merged = GoldenAlignment.Merge(Silent(baseModel),
            [.. experts.Select(expert => expert with { Checkpoint = Silent(expert.Checkpoint) })], Align, out var notes);

        Assert.Contains("layers.1.attention.in: no text gives it anything but zeros: it takes the mean of the experts", notes);
        var weights = experts.Select(expert => GoldenAlignment.Read(expert.Checkpoint.Find("model.layers.1.self_attn.q_proj.weight")!)).ToList();
        Assert.Equal(weights.Average(each => each[5]), merged["model.layers.1.self_attn.q_proj.weight"][5], 1e-6);
    }
}
