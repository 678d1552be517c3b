using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Cli.Tests;

/// <summary>A Llama of two layers whose weights follow from a seed: small enough to be written anew in every test.</summary>
static class TinyModel
{
    public const int Hidden = 8, Inner = 16, Vocabulary = 12, Layers = 2;

    /// <summary>Names and shapes of its tensors.</summary>
    public static IReadOnlyList<(string Name, int[] Shape)> Tensors { get; } = OfDepth(Layers);

    static IReadOnlyList<(string Name, int[] Shape)> OfDepth(int layers) =>
    [
        ("model.embed_tokens.weight", [Vocabulary, Hidden]),
        .. Enumerable.Range(0, layers).SelectMany(Layer),
        ("model.norm.weight", [Hidden]),
        ("lm_head.weight", [Vocabulary, Hidden]),
    ];

    static IEnumerable<(string, int[])> Layer(int layer) =>
    [
        ($"model.layers.{layer}.self_attn.q_proj.weight", [Hidden, Hidden]), ($"model.layers.{layer}.self_attn.k_proj.weight", [Hidden, Hidden]),
        ($"model.layers.{layer}.self_attn.v_proj.weight", [Hidden, Hidden]), ($"model.layers.{layer}.self_attn.o_proj.weight", [Hidden, Hidden]),
        ($"model.layers.{layer}.mlp.gate_proj.weight", [Inner, Hidden]), ($"model.layers.{layer}.mlp.up_proj.weight", [Inner, Hidden]),
        ($"model.layers.{layer}.mlp.down_proj.weight", [Hidden, Inner]),
        ($"model.layers.{layer}.input_layernorm.weight", [Hidden]), ($"model.layers.{layer}.post_attention_layernorm.weight", [Hidden]),
    ];

    /// <summary>The values that a seed gives, by tensor.</summary>
    public static Dictionary<string, (int[] Shape, float[] Values)> Values(int seed, int layers = Layers)
    {
        var random = new Random(seed);
        return OfDepth(layers).ToDictionary(tensor => tensor.Name, tensor =>
            (tensor.Shape, Enumerable.Range(0, tensor.Shape.Aggregate(1, (a, b) => a * b)).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray()));
    }

    /// <summary>Writes a model folder; <paramref name="change"/> may alter its tensors before.</summary>
    public static string Write(string folder, int seed, Action<Dictionary<string, (int[] Shape, float[] Values)>>? change = null, int layers = Layers)
    {
        Directory.CreateDirectory(folder);
        var tensors = Values(seed, layers);
        change?.Invoke(tensors);
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"), ["model_type"] = "llama", ["hidden_size"] = Hidden, ["intermediate_size"] = Inner,
            ["num_hidden_layers"] = layers, ["num_attention_heads"] = 2, ["num_key_value_heads"] = 2, ["vocab_size"] = Vocabulary, ["rms_norm_eps"] = 1e-5,
            ["max_position_embeddings"] = 64, ["rope_theta"] = 10000.0, ["hidden_act"] = "silu", ["tie_word_embeddings"] = false, ["torch_dtype"] = "float32",
        };
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        WriteWeights(Path.Combine(folder, "model.safetensors"), tensors);
        return folder;
    }

    /// <summary>Writes a PEFT adapter of rank 2 for the q projections.</summary>
    public static string WriteAdapter(string folder, int seed, float alpha = 4)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(seed);
        var tensors = new Dictionary<string, (int[] Shape, float[] Values)>();
        for (int layer = 0; layer < Layers; layer++)
        {
            foreach (var (factor, shape) in new[] { ("lora_A", new[] { 2, Hidden }), ("lora_B", [Hidden, 2]) })
            {
                var values = Enumerable.Range(0, 2 * Hidden).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();
                tensors[$"base_model.model.model.layers.{layer}.self_attn.q_proj.{factor}.weight"] = (shape, values);
            }
        }
        var config = new JsonObject
        {
            ["peft_type"] = "LORA", ["base_model_name_or_path"] = "tiny", ["r"] = 2, ["lora_alpha"] = alpha, ["target_modules"] = new JsonArray("q_proj"),
            ["bias"] = "none", ["task_type"] = "CAUSAL_LM",
        };
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), config.ToJsonString());
        WriteWeights(Path.Combine(folder, "adapter_model.safetensors"), tensors);
        return folder;
    }

    static void WriteWeights(string path, Dictionary<string, (int[] Shape, float[] Values)> tensors)
    {
        var header = new JsonObject();
        long offset = 0;
        foreach (var (name, (shape, values)) in tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = "F32", ["shape"] = JsonSerializer.SerializeToNode(shape), ["data_offsets"] = new JsonArray(offset, offset += values.Length * 4L),
            };
        }
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(header), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        File.Delete(path);     // an earlier command of this process may hold it open
        using var file = File.Create(path);
        file.Write(length);
        file.Write(text);
        foreach (var (_, (_, values)) in tensors) file.Write(MemoryMarshal.AsBytes<float>(values));
    }
}
