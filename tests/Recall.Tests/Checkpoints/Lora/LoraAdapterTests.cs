using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Checkpoints.Lora;

/// <summary>Adapters that PEFT would not write, and folders that are none.</summary>
public class LoraAdapterTests
{
    const string Prefix = "base_model.model.";

    static readonly LoraCase Plain = new(Fixtures.Path("lora"), "plain-qv");

    [Fact]
    public void FolderThatIsNotThereIsNamedWithItsNeighbour()
    {
        string folder = Plain.Adapters.Single();
        Assert.Contains($"did you mean '{folder}'", Refusal(() => LoraAdapter.Open(folder[..^1])));
    }

    [Fact]
    public void WholeModelIsNoAdapter() =>
        Assert.Contains("is a whole model", Refusal(() => LoraAdapter.Open(Fixtures.Path("lora", "bases", "llama"))));

    [Fact]
    public void AdapterOneFolderDownIsNamed() =>
        Assert.Contains("french'?", Refusal(() => LoraAdapter.Open(Fixtures.Path("lora", "subfolder", "adapter"))));

    [Fact]
    public void FileIsNoFolder() =>
        Assert.Contains("is a file", Refusal(() => LoraAdapter.Open(Path.Combine(Plain.Adapters.Single(), "adapter_config.json"))));

    [Theory]
    [InlineData("lora_alpha", "\"8\"", "lora_alpha must be a finite number")]
    [InlineData("lora_alpha", "null", "lora_alpha must be a finite number")]
    [InlineData("lora_alpha", "1e999", "lora_alpha must be a finite number")]
    [InlineData("lora_alpha", "NaN", "is not valid JSON")]
    [InlineData("r", "4.5", "r must be an integer")]
    [InlineData("use_dora", "1", "use_dora must be true or false")]
    [InlineData("rank_pattern", "[]", "rank_pattern must be an object")]
    [InlineData("rank_pattern", "{\"q_proj\": 0}", "rank_pattern.q_proj is 0")]
    [InlineData("target_modules", "[1]", "target_modules must be a list of names")]
    [InlineData("target_modules", "[\"k_proj\"]", "does not name it in target_modules")]
    [InlineData("target_modules", "\"(\"", "is not a regular expression")]
    [InlineData("layer_replication", "[[0, 9]]", "layer_replication names layer 8")]
    [InlineData("layer_replication", "[[2, 1]]", "layer_replication must be a list of pairs")]
    [InlineData("layer_replication", "[[0, 2], [0, 2147483647]]", "layer_replication names layer")]
    [InlineData("modules_to_save", "[\"lm_head\"]", "holds no copy of 'lm_head.weight'")]
    [InlineData("target_parameters", "[\"q_proj.strange\"]", "'strange' is not one that Recall knows")]
    [InlineData("peft_type", "7", "peft_type")]
    [InlineData("init_lora_weights", "3", "init_lora_weights must be true, false or a name")]
    [InlineData("r\": 4, \"r", "4", "a key stands twice")]
    [InlineData("rank_pattern", "{\"q_proj\": 4, \"q_proj\": 2}", "a key stands twice")]
    public void ConfigThatCannotBeMeantIsRefusedWithItsKey(string key, string value, string reason)
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Plain.Adapters.Single());
        var config = JsonNode.Parse(File.ReadAllText(folder["adapter_config.json"]))!.AsObject();
        config.Remove(key);
        if (key.StartsWith('r')) config.Remove("r");
        File.WriteAllText(folder["adapter_config.json"], $"{{\"{key}\": {value}, {config.ToJsonString()[1..]}");
        Assert.Contains(reason, Refusal(() => LoraAdapter.Open(folder.Path).Apply(Plain.Base)));
    }

    [Fact]
    public void LayersThatTheAdapterLacksAreRefusedUnlessTheyWereLeftOutOnPurpose()
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Plain.Adapters.Single());
        Rewrite(folder, tensors => tensors.Where(tensor => !tensor.Name.Contains("layers.2.", StringComparison.Ordinal)));
        Assert.Contains("'model.layers.2.self_attn.q_proj' is targeted", Refusal(() => LoraAdapter.Open(folder.Path).Apply(Plain.Base)));
        var config = JsonNode.Parse(File.ReadAllText(folder["adapter_config.json"]))!;
        config["layers_to_transform"] = new JsonArray(0, 1);
        File.WriteAllText(folder["adapter_config.json"], config.ToJsonString());
        Assert.NotNull(LoraAdapter.Open(folder.Path).Apply(Plain.Base));
    }

    [Fact]
    public void TwoAdaptersInOneFileAreRefused()
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Plain.Adapters.Single());
        Rewrite(folder, tensors => tensors.SelectMany(tensor =>
            new[] { tensor, tensor with { Name = tensor.Name.Replace(".weight", ".a.weight", StringComparison.Ordinal) } }));
        Assert.Contains("the same factor of two adapters", Refusal(() => LoraAdapter.Open(folder.Path)));
    }

    [Theory]
    [InlineData("lora_A.one.two.weight", "belongs to nothing")]
    [InlineData("lora_A.bias", "does not go with the module's other factors")]
    public void TensorWithAStrangeTailIsRefused(string tail, string reason)
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Plain.Adapters.Single());
        Rewrite(folder, tensors => tensors.Append(TensorBytes.Of($"{Prefix}model.layers.0.self_attn.q_proj.{tail}", new Shape(1), [1])));
        Assert.Contains(reason, Refusal(() => LoraAdapter.Open(folder.Path)));
    }

    [Fact]
    public void HeadStaysTiedWhereTheCopiesOfHeadAndEmbeddingAreTheSame()
    {
        var model = new LoraCase(Fixtures.Path("lora"), "trainable-tokens-tied").Base;
        foreach (bool same in new[] { true, false })
        {
            using var folder = new TemporaryFolder();
            var values = Enumerable.Range(0, 68 * 32).Select(i => (float)i).ToArray();
            Save(folder, TensorBytes.Of($"{Prefix}model.embed_tokens.weight", new Shape(68, 32), values),
                TensorBytes.Of($"{Prefix}lm_head.weight", new Shape(68, 32), same ? values : [.. values.Select(value => -value)]));
            var result = LoraAdapter.Open(folder.Path).Apply(model);
            Assert.Equal(same, result.Find("lm_head.weight") is null);
            Assert.Equal(same, (bool)result.Config["tie_word_embeddings"]!);
            Assert.Equal(68, (int)result.Config["vocab_size"]!);
            Assert.Equal(values, LoraCase.Values(result.Find("model.embed_tokens.weight")!));
        }
    }

    [Fact]
    public void EmbeddingThatGrowsWithoutItsHeadIsRefused()
    {
        using var folder = new TemporaryFolder();
        Save(folder, TensorBytes.Of($"{Prefix}model.embed_tokens.weight", new Shape(68, 32), new float[68 * 32]));
        var tied = new LoraCase(Fixtures.Path("lora"), "trainable-tokens-tied").Base;
        Assert.Contains("tied", Refusal(() => LoraAdapter.Open(folder.Path).Apply(tied)));
        Assert.Contains("lm_head.weight", Refusal(() => LoraAdapter.Open(folder.Path).Apply(Plain.Base)));
    }

    [Fact]
    public void BaseOfIntegersIsRefused()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["base.safetensors"],
            Plain.Base.Tensors.Select(tensor => TensorBytes.Of(tensor.Name, tensor.Shape, LoraCase.Values(tensor), DType.I8)));
        var adapter = LoraAdapter.Open(Plain.Adapters.Single());
        Assert.Contains("not quantised", Refusal(() => adapter.Apply(Checkpoint.Open(folder["base.safetensors"]))));
    }

    static void Rewrite(TemporaryFolder folder, Func<IEnumerable<TensorBytes>, IEnumerable<TensorBytes>> change)
    {
        using var file = DataFile.Open(folder["adapter_model.safetensors"]);
        var tensors = SafetensorsFile.Read(file).Tensors
            .Select(tensor => TensorBytes.Of(tensor.Name, tensor.Shape, LoraCase.Values(tensor))).ToList();
        SafetensorsWriter.Write(folder["adapter_model.safetensors"], change(tensors));
    }

    static void Save(TemporaryFolder folder, params TensorBytes[] tensors)
    {
        File.WriteAllText(folder["adapter_config.json"], "{\"peft_type\": \"LORA\", \"r\": 4}");
        SafetensorsWriter.Write(folder["adapter_model.safetensors"], tensors);
    }

    static string Refusal(Func<object> act) => Assert.Throws<RecallException>(act).Message;
}
