using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Cli.Tests.Examples;

/// <summary>
/// Every file under examples/, run as its comment says: those for mergekit's users on models made here, of 32 layers and next to no width, the
/// others on what the repository ships.
/// </summary>
public partial class ExampleTests
{
    const int Depth = 32;

    public static TheoryData<string> Files(string folder) =>
        [.. Directory.GetFiles(Repository.File("examples", folder), "*.yaml").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    /// <summary>A new folder of examples wants a test; five-experts.yaml, which needs a real model, has its own: FiveExpertsTests.</summary>
    [Fact]
    public void NoExampleIsForgotten() => Assert.Equal(
        ["five-experts.yaml", "mergekit", "recall"],
        Directory.GetFiles(Repository.File("examples"), "*.yaml", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository.File("examples"), path).Split('/')[0]).Distinct().Order(StringComparer.Ordinal));

    [Theory, MemberData(nameof(Files), "mergekit")]
    public void FilesOfMergekitRunOnModelsOfRealDepth(string file)
    {
        using var folder = new TemporaryFolder();
        string text = File.ReadAllText(Repository.File("examples", "mergekit", file));
        var models = ModelName().Matches(text).Select(match => match.Groups["name"].Value).Distinct().Order(StringComparer.Ordinal).ToList();
        foreach (var (seed, name) in models.Index()) ExampleModel.Write(folder["models", name], seed, Depth);
        var run = Run(folder, text.Replace("models/", folder["models"] + "/", StringComparison.Ordinal), Verb(text));
        Assert.Equal(0, run.ExitCode);

        var got = Checkpoint.Open(folder["out"]);
        var inputs = models.ToDictionary(name => name, name => Checkpoint.Open(folder["models", name]));
        int layers = file.StartsWith("passthrough", StringComparison.Ordinal) ? Depth * 3 / 2 : Depth;
        Assert.Equal(layers, (int)got.Config["num_hidden_layers"]!);
        Assert.Equal(layers, got.Tensors.Count(tensor => tensor.Name.EndsWith("input_layernorm.weight", StringComparison.Ordinal)));
        Assert.All(got.Tensors, tensor => Assert.Equal(DType.BF16, tensor.DType));
        Assert.All(got.Tensors, tensor => Assert.All(Values(got, tensor.Name), value => Assert.True(float.IsFinite(value))));
        Check(file, got, inputs);
    }

    /// <summary>What the example's comment promises, where one can see it in a tensor or two.</summary>
    static void Check(string file, Checkpoint got, Dictionary<string, Checkpoint> inputs)
    {
        const string Attention = "self_attn.q_proj.weight", Mlp = "mlp.up_proj.weight";
        float[] Of(string model, int layer, string name) => Values(inputs[model], $"model.layers.{layer}.{name}");
        float[] Got(int layer, string name) => Values(got, $"model.layers.{layer}.{name}");
        switch (file)
        {
            case "gradients.yaml":
                Near(Of("expert-1", 0, Attention), Got(0, Attention));
                Near(Of("expert-2", 0, Mlp), Got(0, Mlp));
                Near(Of("expert-2", Depth - 1, Attention), Got(Depth - 1, Attention));
                Near(Of("expert-1", Depth - 1, Mlp), Got(Depth - 1, Mlp));
                const string Norm = "input_layernorm.weight";
                Near([.. Of("expert-1", 7, Norm).Zip(Of("expert-2", 7, Norm), (a, b) => (a + b) / 2)], Got(7, Norm));
                break;
            case "passthrough-stack.yaml":
                for (int layer = 0; layer < 48; layer++)
                {
                    var (model, origin) = layer switch { < 16 => ("expert-1", layer), < 32 => ("expert-2", layer - 8), _ => ("expert-1", layer - 16) };
                    Near(Of(model, origin, Mlp), Got(layer, Mlp));
                }
                break;
            case "slerp-32-layers.yaml":
                float[] first = Of("expert-1", 20, Mlp), second = Of("expert-2", 20, Mlp), between = Got(20, Mlp);
                Assert.Equal(Cosine(first, between), Cosine(second, between), 1e-2);
                Assert.True(Cosine(first, between) > Cosine(first, second) + 0.01);
                break;
            case "dare-ties-seven.yaml" or "ties-two-experts.yaml":
                Assert.NotEqual(Of("base", 9, Mlp), Got(9, Mlp));
                Assert.True(Cosine(Of("base", 9, Mlp), Got(9, Mlp)) > 0.9);
                break;
            case "union-three-tokenizers.yaml":
                // 12 tokens of the base, one more of each expert and one of both; whole eights.
                Assert.Equal(16, (int)got.Config["vocab_size"]!);
                var ids = ExampleModel.Ids(got.Path);
                Assert.Empty(((string[])["<|sep|>", "<|pad|>", "<|call|>"]).Except(ids.Keys));
                Assert.All(Row(got, ids["<|pad|>"]), value => Assert.Equal(0, value));
                Near(Row(inputs["expert-1"], ExampleModel.Ids(inputs["expert-1"].Path)["<|sep|>"]), Row(got, ids["<|sep|>"]));
                break;
            case "moe-four.yaml":
                Assert.Equal("MixtralForCausalLM", (string?)got.Config["architectures"]![0]);
                Assert.Equal(4, (int)got.Config["num_local_experts"]!);
                // The layout of transformers 5: the experts of a layer in one tensor.
                Near([.. Enumerable.Range(1, 4).SelectMany(expert => Of($"expert-{expert}", 31, "mlp.down_proj.weight"))], Got(31, "mlp.experts.down_proj"));
                break;
            default:
                Assert.Fail($"{file}: say here what it promises");
                break;
        }
    }

    [Theory, MemberData(nameof(Files), "recall")]
    public void FilesOnTheDemosModelsRunAsTheyAre(string file)
    {
        using var folder = new TemporaryFolder();
        string text = File.ReadAllText(Repository.File("examples", "recall", file));
        string verb = Verb(text);
        string absolute = ExamplePath().Replace(text, _ => Repository.File("examples") + "/")
            .Replace("output: ", $"output: {folder.Path}/", StringComparison.Ordinal);
        var run = Run(folder, absolute, verb);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        if (verb == "train")
        {
            Assert.Equal(1, Session.Run("diff", Repository.File("examples", "demo", "models", "base"),
                $"{Repository.File("examples", "demo", "models", "base")}+{folder["sort-expert"]}").ExitCode);
            return;
        }
        Assert.Equal(38, Checkpoint.Open(folder["out"]).Tensors.Count);
        // Whatever the method, the newest expert is in it.
        double merged = Loss(folder["out"]), origin = Loss(Repository.File("examples", "demo", "models", "base"));
        Assert.True(merged < 0.9 * origin, $"{file}: loss on translate {merged}, that of the base {origin}");
    }

    static double Loss(string model)
    {
        var run = Session.Run("eval", model, "--tasks", Repository.File("examples", "recall", "texts", "translate.jsonl"), "--json");
        Assert.Equal(0, run.ExitCode);
        return (double)JsonNode.Parse(run.Out)!["models"]![0]!["tasks"]![0]!["loss"]!;
    }

    /// <summary>The command that the comment names for the file.</summary>
    static string Verb(string text) => Command().Match(text) is { Success: true } match
        ? match.Groups["verb"].Value
        : throw new InvalidOperationException("no command in the comment");

    static Session Run(TemporaryFolder folder, string text, string verb)
    {
        File.WriteAllText(folder["example.yaml"], text);
        string[] output = verb == "train" ? [] : [folder["out"]];
        return Session.Run([verb, folder["example.yaml"], .. output, "--quiet"]);
    }

    static float[] Values(Checkpoint model, string name)
    {
        var tensor = model.Find(name)!;
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return values;
    }

    static float[] Row(Checkpoint model, int id) => Values(model, "model.embed_tokens.weight")[(id * TinyModel.Hidden)..((id + 1) * TinyModel.Hidden)];

    /// <summary>Equal but for the rounding to bfloat16.</summary>
    static void Near(float[] want, float[] have) => Assert.All(want.Zip(have), pair => Assert.Equal(pair.First, pair.Second, 0.005));

    static double Cosine(float[] a, float[] b)
    {
        double Dot(float[] x, float[] y) => x.Zip(y, (one, other) => (double)one * other).Sum();
        return Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));
    }

    [GeneratedRegex(@"(?<=[ \t])models/(?<name>[a-z0-9-]+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ModelName();

    [GeneratedRegex(@"(?<![\w/])examples/", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ExamplePath();

    [GeneratedRegex(@"^#   recall (?<verb>merge|moe|train) ", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Command();
}
