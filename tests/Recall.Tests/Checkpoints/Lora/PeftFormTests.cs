using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;

namespace Recall.Tests.Checkpoints.Lora;

/// <summary>
/// Adapters that are written are in the form of those that PEFT wrote (tests/fixtures/lora): the same names, shapes and types of tensors, and in the
/// config only keys that PEFT knows, each with the kind of value that it has there.
/// </summary>
public sealed class PeftFormTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    static readonly JsonObject[] OfPeft =
    [
        .. Directory.GetFiles(Fixtures.Path("lora"), "adapter_config.json", SearchOption.AllDirectories).Where(file => !file.Contains("faulty"))
            .Select(file => (JsonObject)JsonNode.Parse(File.ReadAllText(file))!)
            .Where(config => (string?)config["peft_type"] == "LORA" && ((string?)config["peft_version"])?.StartsWith("0.21", StringComparison.Ordinal) == true),
    ];

    [Theory, InlineData("plain-qv"), InlineData("rslora"), InlineData("patterns-first-wins")]
    public void AnAdapterOfPeftComesOutAsItWas(string name)
    {
        string original = Fixtures.Path("lora", name, "adapter");
        var config = Config(original);
        var adapter = LoraAdapter.Open(original);
        bool rslora = (bool)config["use_rslora"]!;
        LoraAdapterWriter.Write(_folder["again"], [.. adapter.Modules.Select(module => new LoraFactors(
            module.Name, (int)module.B.Shape[0], (int)module.A.Shape[1], module.Rank, LoraCase.Values(module.A), LoraCase.Values(module.B),
            module.Scale * (rslora ? Math.Sqrt(module.Rank) : module.Rank)))],
            new LoraWriteOptions
            {
                BaseModel = (string)config["base_model_name_or_path"]!, UseRslora = rslora,
                TargetModules = [.. config["target_modules"]!.AsArray().Select(target => (string)target!)],
            });
        Assert.Equal(Tensors(original), Tensors(_folder["again"]));
        var written = Config(_folder["again"]);
        string[] free = name == "patterns-first-wins" ? ["rank_pattern", "alpha_pattern", "r", "lora_alpha"] : [];
        foreach (var (key, value) in written.Where(entry => !free.Contains(entry.Key)))
            Assert.True(config.ContainsKey(key) && JsonNode.DeepEquals(config[key], value), $"{key}: {value?.ToJsonString()}, in PEFT's file {config[key]?.ToJsonString()}");
        CheckKeys(written);
    }

    /// <summary>What extract-lora adds.</summary>
    [Fact]
    public void EveryKeyIsOneOfPeft()
    {
        var extras = new WrittenExtras(4, ["lm_head"], ["model.layers.1.mlp.up_proj"], Biases: true, FanInFanOut: true);
        CheckKeys(LoraConfigWriter.Make([new("model.layers.0.mlp.up_proj", 4, 4), new("model.layers.2.mlp.up_proj", 2, 2)],
            new LoraWriteOptions { BaseModel = "base", TargetModules = ["up_proj"] }, extras));
    }

    static void CheckKeys(JsonObject written)
    {
        Assert.True(OfPeft.Length > 10);
        foreach (var (key, value) in written)
        {
            Assert.All(OfPeft, config => Assert.True(config.ContainsKey(key), $"PEFT writes no {key}"));
            // A list of names or a regular expression, as for target_modules.
            var kinds = OfPeft.Select(config => Kind(config[key == "exclude_modules" ? "target_modules" : key])).ToHashSet();
            Assert.True(kinds.Contains(Kind(value)), $"{key} is {Kind(value)}; in PEFT's files {string.Join(", ", kinds)}");
        }
        // What PEFT cannot do without.
        foreach (string key in new[] { "peft_type", "task_type", "base_model_name_or_path", "r", "lora_alpha", "target_modules" }) Assert.NotNull(written[key]);
    }

    static string Kind(JsonNode? value) => value switch
    {
        null => "null",
        JsonArray => "list",
        JsonObject => "object",
        _ => value.GetValueKind() is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False ? "bool" : value.GetValueKind().ToString(),
    };

    static JsonObject Config(string folder) => (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!;

    static IEnumerable<string> Tensors(string folder) =>
        Checkpoint.Open(Path.Combine(folder, "adapter_model.safetensors")).Tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)
            .Select(tensor => $"{tensor.Name} {tensor.Shape} {tensor.DType} {string.Join(' ', LoraCase.Values(tensor))}");

    public void Dispose() => _folder.Dispose();
}
