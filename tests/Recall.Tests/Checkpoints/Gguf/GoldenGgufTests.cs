using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Gguf;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;
using Recall.Tokenization;

namespace Recall.Tests.Checkpoints.Gguf;

/// <summary>Every case of fixtures/gguf (its README tells), and the real file of SmolLM2.</summary>
public class GoldenGgufTests
{
    // What the golden config leaves out, or what transformers gets wrong for these files (case.json of each says so).
    static readonly string[] NotInGolden =
        ["architectures", "torch_dtype", "rope_theta", "num_experts", "moe_intermediate_size", "n_positions", "n_inner", "decoder_sparse_step"];

    public static TheoryData<string> Cases(string folder)
        => [.. Directory.GetDirectories(Fixtures.Path("gguf", folder)).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Cases), "hostile")]
    public void HostileFileIsRefusedWithAReason(string name)
    {
        string file = Fixtures.Path("gguf", "hostile", name, "model.gguf");
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Record.Exception(() => Checkpoint.Open(file));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024 * 1024);
        if (error is null)
        {
            Assert.Equal("equal-or-refuse", Case("hostile", name)["expect"]!.GetValue<string>());
            return;
        }
        var refusal = Assert.IsType<RecallException>(error);
        Assert.StartsWith(file, refusal.Message);
        Assert.InRange(refusal.Message.Length, file.Length + 15, file.Length + 400);
        Assert.DoesNotContain(refusal.Message, char.IsControl);
    }

    [Theory]
    [InlineData("unknown-tensor", "'blk.0.mystery.weight'")]
    [InlineData("tensor-name-path", "'../../x'")]
    [InlineData("architecture-unknown", "'banana'")]
    [InlineData("architecture-missing", "'general.architecture' is missing")]
    [InlineData("block-count-huge", "4000000000")]
    [InlineData("head-count-zero", "at least 1")]
    [InlineData("heads-do-not-divide", "no multiple of twice its 3 heads")]
    [InlineData("tokens-scores-differ", "'tokenizer.ggml.scores' has 2")]
    [InlineData("alignment-0", "a power of two")]
    [InlineData("array-nested-deep", "nests arrays deeper")]
    [InlineData("array-count", "more than the file can hold")]
    [InlineData("dimension-wraps", "overflows")]
    [InlineData("dimension-wraps-bytes", "overflows")]
    [InlineData("tensor-type-removed", "Q4_2")]
    [InlineData("old-ggml", "old GGML format")]
    [InlineData("lfs-pointer", "git lfs pull")]
    [InlineData("offset-overlap", "overlaps")]
    [InlineData("offset-wraps", "beyond the file")]
    [InlineData("key-duplicate", "stands twice")]
    [InlineData("row-not-blocks-total", "no multiple of the 32")]
    public void RefusalNamesWhatIsWrong(string name, string reason)
        => Assert.Contains(reason, Assert.Throws<RecallException>(() => Checkpoint.Open(Fixtures.Path("gguf", "hostile", name, "model.gguf"))).Message);

    [Theory, MemberData(nameof(Cases), "plain")]
    public void PlainFileIsReadExactly(string name)
    {
        string folder = Fixtures.Path("gguf", "plain", name), expect = Case("plain", name)["expect"]!.GetValue<string>();
        GgufFile file;
        try
        {
            file = GgufFile.Read(DataFile.Open(Path.Combine(folder, "model.gguf")));
        }
        catch (RecallException)
        {
            Assert.Equal("equal-or-refuse", expect);
            return;
        }
        if (expect == "refuse")
        {
            Assert.Contains("no tensors", Assert.Throws<RecallException>(() => Checkpoint.Open(file.Path)).Message);
            return;
        }
        var expected = SafetensorsFile.Read(DataFile.Open(Path.Combine(folder, "expected.gguf-names.safetensors"))).Tensors;
        Assert.Equal(expected.Select(tensor => tensor.Name).Order(), file.Tensors.Select(tensor => tensor.Name).Order());
        foreach (var tensor in expected)
        {
            var read = file.Tensors.Single(other => other.Name == tensor.Name);
            Assert.Equal(tensor.Shape, read.Shape);
            Assert.Equal(Values(tensor), Values(read));
        }
    }

    [Fact]
    public void MetadataOfEveryTypeIsReadExactly()
    {
        string folder = Fixtures.Path("gguf", "plain", "metadata-types");
        var metadata = GgufFile.Read(DataFile.Open(Path.Combine(folder, "model.gguf"))).Metadata;
        foreach (var (key, field) in JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.fields.json")))!.AsObject())
        {
            var written = JsonSerializer.SerializeToNode(metadata.Values[key], metadata.Values[key].GetType());
            if (metadata.Values[key] is byte[] bytes) written = new JsonArray([.. bytes.Select(value => (JsonNode)value)]);
            if (metadata.Values[key] is float single) written = (double)single;
            Assert.True(JsonNode.DeepEquals(field!["value"], written), $"{key}: {written?.ToJsonString()} instead of {field["value"]?.ToJsonString()}");
        }
    }

    [Theory, MemberData(nameof(Cases), "models")]
    public void ModelHasTheTensorsOfTransformers(string name)
    {
        string folder = Fixtures.Path("gguf", "models", name);
        var checkpoint = Checkpoint.Open(folder);
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.sha256.json")))!.AsObject();
        Assert.Equal(expected.Select(entry => entry.Key).Order(), checkpoint.Tensors.Select(tensor => tensor.Name).Order());
        foreach (var tensor in checkpoint.Tensors)
        {
            Assert.Equal(expected[tensor.Name]!["shape"]!.ToJsonString(), JsonSerializer.Serialize(tensor.Shape.Dimensions.ToArray()));
            Assert.Equal(expected[tensor.Name]!["f32"]!.GetValue<string>(), Hash(tensor, DType.F32));
            Assert.Equal(expected[tensor.Name]!["bf16"]!.GetValue<string>(), Hash(tensor, DType.BF16));
        }
    }

    [Theory, MemberData(nameof(Cases), "models")]
    public void ConfigIsThatOfTransformers(string name)
    {
        string expectedPath = Path.Combine(Fixtures.Path("gguf", "models", name), "expected.config.json");
        if (!File.Exists(expectedPath)) return;
        var config = Checkpoint.Open(Fixtures.Path("gguf", "models", name)).Config;
        var expected = JsonNode.Parse(File.ReadAllText(expectedPath))!;
        if (name.StartsWith("qwen3-", StringComparison.Ordinal)) expected["head_dim"] = 8;
        if (name.StartsWith("mistral", StringComparison.Ordinal)) expected["sliding_window"] = null;
        foreach (var (key, value) in config.Where(entry => !NotInGolden.Contains(entry.Key)))
            Assert.True(JsonNode.DeepEquals(expected[key], value), $"{key}: {value?.ToJsonString()} instead of {expected[key]?.ToJsonString()}");
        Assert.True(config.Count >= 12);
    }

    [Theory]
    [InlineData("llama-f32-bpe")]
    [InlineData("llama-f16-spm")]
    public void TokenizerIsThatOfTransformers(string name)
    {
        string folder = Fixtures.Path("gguf", "models", name);
        var made = TokenizerOf(Checkpoint.Open(folder));
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.tokenizer.json")))!;
        foreach (string prefix in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
            if (expected["model"]![prefix]?.GetValue<string>() == "") expected["model"]![prefix] = null;     // "" and null mean the same
        foreach (var (key, value) in expected.AsObject()) Assert.True(JsonNode.DeepEquals(value, made[key]), $"{key} differs");
        Assert.Equal(expected.AsObject().Count, made.Count);
    }

    [Theory]
    [InlineData("llama-f32-bpe")]
    [InlineData("llama-f16-spm")]
    public void TokenizerGivesTheIdsOfTransformers(string name)
    {
        string folder = Fixtures.Path("gguf", "models", name);
        var tokenizer = Tokenizer.Load(Checkpoint.Open(folder));
        foreach (var row in JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "encodings.json")))!.AsArray())
        {
            string text = row!["text"]!.GetValue<string>();
            Assert.Equal(row["ids"]!.AsArray().Select(id => id!.GetValue<int>()), tokenizer.Encode(text, addSpecialTokens: false));
            Assert.Equal(row["with_special"]!.AsArray().Select(id => id!.GetValue<int>()), tokenizer.Encode(text));
        }
    }

    [Fact]
    public void SmolLM2TokenizerGivesTheIdsOfTransformers()
    {
        var tokenizer = Tokenizer.Load(Checkpoint.Open(Fixtures.Shared("models", "SmolLM2-135M-Instruct.Q4_1.gguf")));
        foreach (string line in File.ReadLines(Fixtures.Shared("golden", "tokenizers", "smollm2", "encodings.jsonl")))
        {
            var row = JsonNode.Parse(line)!;
            string text = row["text"]!.GetValue<string>();
            Assert.Equal(row["ids"]!.AsArray().Select(id => id!.GetValue<int>()), tokenizer.Encode(text, addSpecialTokens: false));
            Assert.Equal(row["ids_special"]!.AsArray().Select(id => id!.GetValue<int>()), tokenizer.Encode(text));
            Assert.Equal(row["decoded"]!.GetValue<string>(), tokenizer.Decode([.. row["ids_special"]!.AsArray().Select(id => id!.GetValue<int>())]));
        }
    }

    [Fact]
    public void SmolLM2IsThatOfTransformers()
    {
        string file = Fixtures.Shared("models", "SmolLM2-135M-Instruct.Q4_1.gguf");
        var golden = JsonNode.Parse(File.ReadAllText(Fixtures.Shared("golden", "gguf", "smollm2-135m-instruct.bf16.sha256.json")))!["tensors"]!.AsObject();
        var checkpoint = Checkpoint.Open(file);
        Assert.Equal("llama", checkpoint.Architecture?.ModelType);
        Assert.Equal(golden.Select(entry => entry.Key).Order(), checkpoint.Tensors.Select(tensor => tensor.Name).Order());
        foreach (var tensor in checkpoint.Tensors) Assert.Equal(golden[tensor.Name]!["sha256"]!.GetValue<string>(), Hash(tensor, DType.BF16));

        var tokenizer = TokenizerOf(checkpoint);
        Assert.Equal(49152, tokenizer["model"]!["vocab"]!.AsObject().Count);
        Assert.Equal(48900, tokenizer["model"]!["merges"]!.AsArray().Count);
        Assert.Equal(17, tokenizer["added_tokens"]!.AsArray().Count);
        Assert.Equal("Digits", tokenizer["pre_tokenizer"]!["pretokenizers"]![0]!["type"]!.GetValue<string>());
        var config = JsonNode.Parse(checkpoint.Files.Single(item => item.Name == "tokenizer_config.json").Read().Span)!;
        Assert.Equal("<|im_end|>", config["eos_token"]!.GetValue<string>());
        Assert.Contains("<|im_start|>", config["chat_template"]!.GetValue<string>());
        Assert.Equal(100000, checkpoint.Config["rope_theta"]!.GetValue<double>());
    }

    [Theory]
    [InlineData("llama-mixed-legacy")]
    [InlineData("gpt2-f32")]
    [InlineData("gemma2-f16")]
    public void TensorsReadTheSameInPiecesOfAnyLength(string name)
    {
        foreach (var tensor in Checkpoint.Open(Fixtures.Path("gguf", "models", name)).Tensors)
        {
            var whole = Values(tensor);
            var pieces = new float[whole.Length];
            var reader = new TileReader();
            reader.BeginTensor();
            for (int start = 0, length = 1; start < pieces.Length; start += length, length = length * 3 % 101)
            {
                length = Math.Min(length, pieces.Length - start);
                if (start % 5 == 0) reader.Begin(elements: 64);
                tensor.Read(reader, start, pieces.AsSpan(start, length));
            }
            Assert.Equal(whole, pieces);
        }
    }

    [Fact]
    public void TokenizerOfAnUnknownKindIsRefusedWhenItIsRead()
    {
        var bytes = File.ReadAllBytes(Fixtures.Path("gguf", "models", "llama-f32-bpe", "model.gguf"));
        int at = bytes.AsSpan().IndexOf("tokenizer.ggml.pre"u8) + 18 + 4 + 8;
        Assert.True(bytes.AsSpan(at).StartsWith("gpt-2"u8));
        "qpt-7"u8.CopyTo(bytes.AsSpan(at));
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.gguf"], bytes);
        var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Contains("'qpt-7'", Assert.Throws<RecallException>(() => checkpoint.Files.Single().Read()).Message);
    }

    [Fact]
    public void FolderOfSeveralGgufFilesMustSayWhich()
    {
        using var folder = new TemporaryFolder();
        string source = Fixtures.Path("gguf", "models", "llama-bf16", "model.gguf");
        File.Copy(source, folder["a.gguf"]);
        File.Copy(source, folder["b.gguf"]);
        Assert.Contains("several .gguf files", Assert.Throws<RecallException>(() => Checkpoint.Open(folder.Path)).Message);
    }

    [Fact]
    public void MissingPartOfASplitModelIsNamed()
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Fixtures.Path("gguf", "models", "llama-split"));
        File.Delete(folder["model-00002-of-00003.gguf"]);
        Assert.Contains("model-00002-of-00003.gguf", Assert.Throws<RecallException>(() => Checkpoint.Open(folder.Path)).Message);
    }

    static JsonNode Case(string part, string name) => JsonNode.Parse(File.ReadAllText(Fixtures.Path("gguf", part, name, "case.json")))!;

    static JsonObject TokenizerOf(Checkpoint checkpoint)
        => JsonNode.Parse(checkpoint.Files.Single(file => file.Name == "tokenizer.json").Read().Span)!.AsObject();

    static float[] Values(TensorSource tensor)
    {
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return values;
    }

    static string Hash(TensorSource tensor, DType type)
    {
        var values = Values(tensor);
        var bytes = new byte[values.Length * type.Size()];
        PlainEncoding.Of(type).Encode(values, bytes);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
