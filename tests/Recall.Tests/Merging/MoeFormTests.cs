using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Tests.Merging;

/// <summary>
/// Mixtures that are written are in the form of published ones (golden/architectures beside the repository): the tensors of a layer have the same names and
/// shapes, and config.json has every key that shapes the model. Mixtral and Qwen3 MoE are held against the names that transformers 5 gives them.
/// </summary>
public sealed partial class MoeFormTests : IDisposable
{
    const int HeadDim = 8;

    readonly TemporaryFolder _folder = new();

    /// <summary>Keys of training, of generation, of the program that wrote the file, and keys whose absence means the same.</summary>
    static readonly string[] WithoutShape =
    [
        "attention_dropout", "initializer_range", "output_router_logits", "router_aux_loss_coef", "router_jitter_noise", "use_cache",
        "transformers_version", "bos_token_id", "eos_token_id", "pad_token_id", "rope_scaling", "torch_dtype", "max_window_layers",
    ];

    string Model(string name, int seed, string type) => TinyModel.Write(_folder[name], seed, DType.F32, tensors =>
    {
        for (int layer = 0; layer < TinyModel.Layers; layer++)
        {
            string attention = $"model.layers.{layer}.self_attn.";
            if (type == "qwen2")
                foreach (string part in new[] { "q", "k", "v" })
                {
                    long rows = tensors[$"{attention}{part}_proj.weight"].Shape[0];
                    tensors[$"{attention}{part}_proj.bias"] = (new Shape(rows), new float[rows]);
                }
            if (type == "qwen3")
                foreach (string part in new[] { "q", "k" }) tensors[$"{attention}{part}_norm.weight"] = (new Shape(HeadDim), new float[HeadDim]);
        }
    }, config =>
    {
        string family = type == "llama" ? "Llama" : char.ToUpperInvariant(type[0]) + type[1..];
        (config["architectures"], config["model_type"]) = (new JsonArray(family + "ForCausalLM"), type);
        if (type == "qwen3") config["head_dim"] = HeadDim;
    });

    [Theory, InlineData("mixtral", "llama", ""), InlineData("qwen3-moe", "qwen3", ""), InlineData("qwen2-moe", "qwen2", "shared_experts: [{source_model: SHARED}]\n")]
    public void AMixtureIsAsAPublishedOne(string golden, string type, string more)
    {
        string published = Fixtures.Shared("golden", "architectures", golden);
        string a = Model("a", 1, type), b = Model("b", 2, type);
        string text = $"base_model: {a}\ngate_mode: random\nexperts: [{{source_model: {a}}}, {{source_model: {b}}}]\n{more.Replace("SHARED", b)}";
        MergeRun.Run(MoeMerge.Plan(MoeConfig.Parse(text, "moe.yaml"), new MergeOptions { Output = _folder["out"] }));

        var (theirs, ours) = (Checkpoint.Open(published), Checkpoint.Open(_folder["out"]));
        Assert.Equal(Form(theirs), Form(ours));
        foreach (var (key, _) in theirs.Config.Where(entry => entry.Value is not null && !WithoutShape.Contains(entry.Key)))
            Assert.True(ours.Config.ContainsKey(key) || golden == "qwen3-moe" && key == "attention_bias", $"{key} is not in config.json");
        Assert.Equal(theirs.Config["model_type"]!.ToJsonString(), ours.Config["model_type"]!.ToJsonString());
        Assert.Equal(theirs.Config["architectures"]!.ToJsonString(), ours.Config["architectures"]!.ToJsonString());
    }

    /// <summary>Names of the first layer and of what is outside, with the sizes by what they are of.</summary>
    static IEnumerable<string> Form(Checkpoint model)
    {
        long Number(string key) => (long)(model.Config[key] ?? throw new InvalidOperationException(key));
        long experts = Number(model.Config["num_experts"] is null ? "num_local_experts" : "num_experts");
        long head = model.Config["head_dim"] is { } stated ? (long)stated : Number("hidden_size") / Number("num_attention_heads");
        long inner = Number(model.Config["moe_intermediate_size"] is null ? "intermediate_size" : "moe_intermediate_size");
        var sizes = new List<(string Name, long Size)>
        {
            ("hidden", Number("hidden_size")), ("heads", head * Number("num_attention_heads")), ("groups", head * Number("num_key_value_heads")),
            ("vocabulary", Number("vocab_size")), ("inner", inner),
        };
        if (model.Config["shared_expert_intermediate_size"] is { } shared) sizes.Add(("shared", (long)shared));
        string Of(string name, Shape shape)
        {
            bool ofShared = name.Contains("shared_expert."), ofExpert = name.Contains("experts."), ofKey = name.Contains("k_proj") || name.Contains("v_proj");
            IEnumerable<string> Names() => shape.Dimensions.ToArray().Select((size, i) =>
                name.EndsWith("_norm.weight") && size == head ? "head"
                : name.EndsWith("mlp.gate.weight") && i == 0 && size == experts ? "experts"
                : ofShared && size == sizes[^1].Size ? sizes[^1].Name
                : ofExpert && size == inner ? "inner" : ofKey && size == sizes[2].Size && i == 0 ? "groups"
                : name.Contains("q_proj") && i == 0 && size == sizes[1].Size || name.Contains("o_proj") && i == 1 && size == sizes[1].Size ? "heads"
                : size == sizes[0].Size ? "hidden" : size == sizes[3].Size ? "vocabulary" : size == 1 ? "1" : $"unexpected {size}");
            return $"{name} [{string.Join(", ", Names())}]";
        }
        var forms = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var tensor in model.Tensors.Where(tensor => !tensor.Name.Contains(".layers.") || tensor.Name.Contains(".layers.0.")))
        {
            bool stacked = tensor.Name.EndsWith("experts.gate_up_proj") || tensor.Name.EndsWith("experts.down_proj");
            if (!stacked)
            {
                // Experts beyond the first are as the first.
                string name = Mixtral(ExpertNumber().Replace(tensor.Name, ".experts.N."));
                forms.Add(Of(name, tensor.Shape));
                continue;
            }
            string place = tensor.Name[..(tensor.Name.LastIndexOf('.') + 1)];
            Assert.Equal(experts, tensor.Shape[0]);
            Assert.Equal(3, tensor.Shape.Rank);
            if (tensor.Name.EndsWith("down_proj")) forms.Add(Of(place + "N.down_proj.weight", new Shape(tensor.Shape[1], tensor.Shape[2])));
            else
            {
                forms.Add(Of(place + "N.gate_proj.weight", new Shape(tensor.Shape[1] / 2, tensor.Shape[2])));
                forms.Add(Of(place + "N.up_proj.weight", new Shape(tensor.Shape[1] / 2, tensor.Shape[2])));
            }
        }
        return forms;
    }

    /// <summary>The names of Mixtral's published files as transformers 5 has them.</summary>
    static string Mixtral(string name) => name.Replace("block_sparse_moe.", "mlp.").Replace(".w1.", ".gate_proj.").Replace(".w3.", ".up_proj.").Replace(".w2.", ".down_proj.");

    [GeneratedRegex(@"\.experts\.\d+\.")]
    private static partial Regex ExpertNumber();

    public void Dispose() => _folder.Dispose();
}
