using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Merging;

/// <summary>Small Llama checkpoints with random weights, written where a test wants them.</summary>
static class TinyModel
{
    public const int Hidden = 16, Inner = 24, Layers = 3, Vocabulary = 40;

    /// <summary>Writes a model; <paramref name="change"/> may change its tensors before.</summary>
    public static string Write(string folder, int seed, DType type = DType.BF16, Action<Dictionary<string, (Shape Shape, float[] Values)>>? change = null,
        Action<JsonObject>? config = null, int hidden = Hidden, int vocabulary = Vocabulary, int layers = Layers)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(seed);
        var tensors = new Dictionary<string, (Shape, float[])>();
        void Add(string name, params long[] shape)
        {
            var values = new float[shape.Aggregate(1L, (product, extent) => product * extent)];
            for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() - 0.5);
            tensors.Add(name, (new Shape(shape), values));
        }
        Add("model.embed_tokens.weight", vocabulary, hidden);
        for (int layer = 0; layer < layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Add(prefix + "input_layernorm.weight", hidden);
            Add(prefix + "self_attn.q_proj.weight", hidden, hidden);
            Add(prefix + "self_attn.k_proj.weight", hidden / 2, hidden);
            Add(prefix + "self_attn.v_proj.weight", hidden / 2, hidden);
            Add(prefix + "self_attn.o_proj.weight", hidden, hidden);
            Add(prefix + "post_attention_layernorm.weight", hidden);
            Add(prefix + "mlp.gate_proj.weight", Inner, hidden);
            Add(prefix + "mlp.up_proj.weight", Inner, hidden);
            Add(prefix + "mlp.down_proj.weight", hidden, Inner);
        }
        Add("model.norm.weight", hidden);
        Add("lm_head.weight", vocabulary, hidden);
        change?.Invoke(tensors);
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"),
            tensors.Select(tensor => TensorBytes.Of(tensor.Key, tensor.Value.Item1, tensor.Value.Item2, type)));
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["model_type"] = "llama",
            ["hidden_size"] = hidden,
            ["intermediate_size"] = Inner,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = 2,
            ["num_key_value_heads"] = 1,
            ["vocab_size"] = vocabulary,
            ["rms_norm_eps"] = 1e-5,
            ["torch_dtype"] = type.TorchName(),
        };
        config?.Invoke(json);
        File.WriteAllText(Path.Combine(folder, "config.json"), json.ToJsonString());
        return folder;
    }

    /// <summary>Every file of a folder with its bytes, but for what tells the time.</summary>
    public static SortedDictionary<string, string> Bytes(string folder)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string file in Directory.GetFiles(folder))
            if (Path.GetFileName(file) is not ("recall.json" or "README.md")) files.Add(Path.GetFileName(file), Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file))));
        return files;
    }
}
