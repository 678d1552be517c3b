using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Planning;
using Recall.Tests.Representations;

namespace Recall.Tests.Alignment;

/// <summary>Adapters merged into one adapter, from a merge file to a folder.</summary>
public sealed class AdapterMergeTests : TorchTests, IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static string Base => Fixtures.Path("training", "base");

    /// <summary>Writes an adapter of rank 2 on four layers of each block, and its texts.</summary>
    string Adapter(int seed)
    {
        var random = new Random(seed);
        float[] Values(long count) => [.. Enumerable.Range(0, (int)count).Select(_ => (float)(random.NextDouble() - 0.5) * 0.3f)];
        string[] parts = ["q_proj", "o_proj", "up_proj", "down_proj"];
        LoraAdapterWriter.Write(_folder[$"adapter-{seed}"],
            [.. Checkpoint.Open(Base).Tensors.Where(tensor => parts.Any(part => tensor.Name.EndsWith(part + ".weight", StringComparison.Ordinal)))
                .Select(tensor => new LoraFactors(tensor.Name[..^".weight".Length], (int)tensor.Shape[0], (int)tensor.Shape[1], 2,
                    Values(2 * tensor.Shape[1]), Values(2 * tensor.Shape[0]), 4))], new LoraWriteOptions { BaseModel = Base });
        File.WriteAllLines(_folder[$"texts-{seed}.jsonl"], Enumerable.Range(0, 6).Select(_ =>
            $$"""{"ids": [{{string.Join(", ", Enumerable.Range(0, 12).Select(_ => random.Next(3, 64)))}}], "answer": 9}"""));
        return $"- {{model: {Base}+{_folder[$"adapter-{seed}"]}, samples: {_folder[$"texts-{seed}.jsonl"]}}}\n";
    }

    static MergeConfig Config(string models, string recall, string more = "") => MergeConfig.Parse(
        $"merge_method: recall\nbase_model: {Base}\nmodels:\n{models}recall: {{compute: float32, card_rank: full, {recall}}}\n{more}", "merge.yaml");

    MergeOptions To(string output) => new() { Output = _folder[output], Threads = 2 };

    AdapterMergeResult Merge(MergeConfig config, int? rank, string output = "adapter") =>
        AdapterMerge.Run(config, To(output), rank, cancellation: TestContext.Current.CancellationToken);

    Checkpoint Applied(string output = "adapter") => LoraAdapter.Open(_folder[output]).Apply(Checkpoint.Open(Base));

    Dictionary<string, float[]> Dense(MergeConfig config)
    {
        MergeRun.Run(config, To("dense"), cancellation: TestContext.Current.CancellationToken);
        return Weights(Checkpoint.Open(_folder["dense"]));
    }

    static Dictionary<string, float[]> Weights(Checkpoint checkpoint) =>
        checkpoint.Tensors.ToDictionary(tensor => tensor.Name, GoldenAlignment.Read);

    static void AssertNear(double bound, Dictionary<string, float[]> actual, Dictionary<string, float[]> expected)
    {
        var (difference, tensor) = GoldenAlignment.Farthest(actual, expected);
        Assert.True(difference <= bound, $"{tensor} differs by {difference}");
    }

    [Fact]
    public void Align_as_an_adapter_is_the_dense_merge_exactly_with_its_card_and_its_texts()
    {
        var config = Config(Adapter(1) + Adapter(2), "combine: align");
        var result = Merge(config, null);
        Assert.Equal(12, result.Losses.Count);
        Assert.All(result.Losses, loss => Assert.Equal((4, 0.0), (loss.Rank, loss.Lost)));
        AssertNear(2e-5, Weights(Applied()), Dense(config));

        var (card, dense) = (CardFile.Open(_folder["adapter", "card.safetensors"]), CardFile.Open(_folder["dense", "card.safetensors"]));
        Assert.Equal((2, ModelPrint.Of(Applied()), dense.Samples, dense.Tokens), (card.Experts, card.Model, card.Samples, card.Tokens));
        Assert.Equal(File.ReadAllText(_folder["dense", "samples.jsonl"]), File.ReadAllText(_folder["adapter", "samples.jsonl"]));
    }

    [Fact]
    public void Distil_as_an_adapter_of_full_rank_is_the_dense_merge()
    {
        var config = Config(Adapter(1) + Adapter(2), "combine: distil");
        Assert.All(Merge(config, 32).Losses, loss => Assert.InRange(loss.Lost, 0, 1e-9));
        AssertNear(2e-5, Weights(Applied()), Dense(config));
    }

    [Theory]
    [InlineData("align")]
    [InlineData("distil")]
    public void Less_rank_loses_a_share_that_is_told(string method)
    {
        var config = Config(Adapter(1) + Adapter(2), $"combine: {method}");
        var result = Merge(config, 1);
        Assert.All(result.Losses, loss => Assert.Equal(1, loss.Rank));
        var (dense, before, applied) = (Dense(config), Weights(Checkpoint.Open(Base)), Weights(Applied()));
        static double Squares(float[] one, float[] other) => one.Zip(other, (x, y) => Math.Pow((double)x - y, 2)).Sum();
        foreach (var loss in result.Losses.Where(loss => loss.Module.EndsWith("down_proj", StringComparison.Ordinal)))
        {
            string name = loss.Module + ".weight";
            Assert.InRange(loss.Lost, 1e-3, 0.9);
            Assert.Equal(Squares(dense[name], applied[name]) / Squares(dense[name], before[name]), loss.Lost, 1e-4);
        }
    }

    [Fact]
    public void The_adapter_is_the_old_expert_of_the_next_merge()
    {
        const string Align = "combine: align, keep_samples: false";
        string[] experts = [Adapter(1), Adapter(2), Adapter(3)];
        Merge(Config(experts[0] + experts[1], Align), null, "two");
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors", "card.safetensors"],
            Directory.GetFiles(_folder["two"]).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
        Merge(Config($"- {Base}+{_folder["two"]}\n" + experts[2], Align), null, "three");
        AssertNear(2e-4, Weights(Applied("three")), Dense(Config(string.Concat(experts), Align)));
        Assert.Equal(3, CardFile.Open(_folder["three", "card.safetensors"]).Experts);
    }

    [Fact]
    public void What_gives_no_adapter_is_refused_and_leaves_nothing()
    {
        string experts = Adapter(1) + Adapter(2);
        void Refused(string part, MergeConfig config, int? rank)
        {
            Assert.Contains(part, Assert.ThrowsAny<RecallException>(() => Merge(config, rank)).Message);
            Assert.False(Directory.Exists(_folder["adapter"]));
        }
        Refused("distil as an adapter needs a rank (--rank R)", Config(experts, "combine: distil"), null);
        Refused("not 0", Config(experts, "combine: distil"), 0);
        Refused("an adapter is made by merge_method: recall with combine: align or distil", Config(experts, "combine: linear"), 4);
        Refused("an adapter has no chat template", Config(experts, "combine: align", "chat_template: chatml\n"), null);
        _folder.Copy(Base);
        Refused($"{_folder.Path} is no adapter on {Base}", Config(experts + $"- {{model: {_folder.Path}, samples: {_folder["texts-1.jsonl"]}}}\n", "combine: align"), null);
        using var cancelled = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            AdapterMerge.Run(Config(experts, "combine: align"), To("adapter"), null, (_, _) => cancelled.Cancel(), cancelled.Token));
        Assert.False(Directory.Exists(_folder["adapter"]));
    }
}
