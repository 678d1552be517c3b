using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Representations;

namespace Recall.Cli.Demo;

/// <summary>
/// The untrained Llama that the demo's base is trained from, as transformers would hold it: four blocks of width 128, and a tokenizer with
/// a token for every letter and for every task's verb.
/// </summary>
static class DemoModel
{
    const int Hidden = 128, Inner = 320, Layers = 4, Heads = 4;

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    static readonly string[] Verbs = [.. DemoTask.All.Select(task => task.Name + ":")];

    static readonly string[] Tokens =
        ["</s>", .. Verbs, " ", .. "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".Select(letter => letter.ToString())];

    /// <summary>Writes the folder.</summary>
    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var random = new SplitMix64(1);
        SafetensorsWriter.Write(
            Path.Combine(folder, "model.safetensors"), Shapes().Select(tensor => Fresh(tensor.Name, tensor.Shape, random)));
        WriteJson(folder, "tokenizer.json", TokenizerFile());
        WriteJson(folder, "tokenizer_config.json", new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast", ["eos_token"] = "</s>", ["pad_token"] = "</s>", ["model_max_length"] = 32,
        });
        WriteJson(folder, "config.json", Config());
    }

    static void WriteJson(string folder, string name, JsonObject json) =>
        File.WriteAllText(Path.Combine(folder, name), json.ToJsonString(Indented) + "\n");

    static IEnumerable<(string Name, Shape Shape)> Shapes()
    {
        yield return ("model.embed_tokens.weight", new Shape(Tokens.Length, Hidden));
        for (int layer = 0; layer < Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            yield return (at + "input_layernorm.weight", new Shape(Hidden));
            foreach (char name in "qkvo") yield return ($"{at}self_attn.{name}_proj.weight", new Shape(Hidden, Hidden));
            yield return (at + "post_attention_layernorm.weight", new Shape(Hidden));
            yield return (at + "mlp.gate_proj.weight", new Shape(Inner, Hidden));
            yield return (at + "mlp.up_proj.weight", new Shape(Inner, Hidden));
            yield return (at + "mlp.down_proj.weight", new Shape(Hidden, Inner));
        }
        yield return ("model.norm.weight", new Shape(Hidden));
    }

    /// <summary>
    /// Norms are 1; the rest is uniform with variance 1 / columns, what is added to the hidden states (o_proj, down_proj) less by
    /// 1 / √(2 · blocks), as in GPT-2.
    /// </summary>
    static TensorBytes Fresh(string name, Shape shape, SplitMix64 random)
    {
        var values = new float[shape.Elements];
        bool norm = name.EndsWith("norm.weight", StringComparison.Ordinal);
        bool added = name.Contains("o_proj", StringComparison.Ordinal) || name.Contains("down_proj", StringComparison.Ordinal);
        double bound = Math.Sqrt(3.0 / shape.RowLength / (added ? 2 * Layers : 1));
        for (int i = 0; i < values.Length; i++) values[i] = norm ? 1 : (float)(bound * (2 * random.Unit() - 1));
        return TensorBytes.Of(name, shape, values);
    }

    static JsonObject Config() => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"), ["model_type"] = "llama", ["hidden_size"] = Hidden,
        ["intermediate_size"] = Inner, ["num_hidden_layers"] = Layers, ["num_attention_heads"] = Heads, ["num_key_value_heads"] = Heads,
        ["head_dim"] = Hidden / Heads, ["vocab_size"] = Tokens.Length, ["hidden_act"] = "silu", ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = 10000.0, ["max_position_embeddings"] = 32, ["attention_bias"] = false, ["mlp_bias"] = false,
        ["tie_word_embeddings"] = true, ["bos_token_id"] = null, ["eos_token_id"] = 0, ["pad_token_id"] = 0, ["torch_dtype"] = "float32",
    };

    static JsonObject TokenizerFile() => new()
    {
        ["version"] = "1.0", ["truncation"] = null, ["padding"] = null,
        ["added_tokens"] = new JsonArray([.. Tokens.Take(1 + Verbs.Length).Select((token, id) => (JsonNode)new JsonObject
        {
            ["id"] = id, ["content"] = token, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false,
            ["special"] = id == 0,
        })]),
        ["normalizer"] = null, ["pre_tokenizer"] = null, ["post_processor"] = null,
        ["decoder"] = new JsonObject { ["type"] = "Fuse" },
        ["model"] = new JsonObject
        {
            ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["continuing_subword_prefix"] = null, ["end_of_word_suffix"] = null,
            ["fuse_unk"] = false, ["byte_fallback"] = false, ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(Tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
            ["merges"] = new JsonArray(),
        },
    };
}
