using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Gguf;

/// <summary>
/// Makes the tokenizer files of transformers from the tokenizer inside a GGUF file. A kind that Recall cannot make exactly is no error of the
/// weights: the checkpoint opens, and the reason is told to whoever reads the tokenizer.
/// </summary>
sealed class GgufTokenizer(GgufFile file)
{
    const string Prefix = "tokenizer.ggml.";

    static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    static readonly JsonSerializerOptions Serializing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = true };

    readonly GgufMetadata _metadata = file.Metadata;

    /// <summary>tokenizer.json, tokenizer_config.json and generation_config.json; none where the file holds no tokenizer.</summary>
    public IReadOnlyList<CheckpointFile> Files()
    {
        if (GgufVocabulary.Read(file) is not { } vocabulary) return [];
        try
        {
            return
            [
                new CheckpointFile("tokenizer.json", null, TokenizerJson(vocabulary)),
                new CheckpointFile("tokenizer_config.json", null, JsonSerializer.SerializeToUtf8Bytes(TokenizerConfig(vocabulary), Serializing)),
                new CheckpointFile("generation_config.json", null, JsonSerializer.SerializeToUtf8Bytes(GenerationConfig(), Serializing)),
            ];
        }
        catch (RecallException e)
        {
            return [new CheckpointFile("tokenizer.json", null, default) { Refusal = e.Message }];
        }
    }

    ReadOnlyMemory<byte> TokenizerJson(GgufVocabulary vocabulary)
    {
        var ids = vocabulary.Ids();
        var buffer = new ArrayBufferWriter<byte>(1 << 16);
        using var json = new Utf8JsonWriter(buffer, Writing);
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAddedTokens(json, vocabulary);
        switch (vocabulary.Model)
        {
            case "gpt2": WriteByteLevel(json, vocabulary, ids); break;
            case "llama": WriteSentencePiece(json, vocabulary, ids); break;
            default: throw new RecallException($"{file.Path}: its tokenizer is of the kind {Quoted.Of(vocabulary.Model)}; Recall reads gpt2 and llama");
        }
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    static void WriteAddedTokens(Utf8JsonWriter json, GgufVocabulary vocabulary)
    {
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < vocabulary.Tokens.Count; id++)
        {
            if (!vocabulary.IsAdded(id)) continue;
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", vocabulary.Tokens[id]);
            foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" }) json.WriteBoolean(flag, false);
            json.WriteBoolean("special", vocabulary.IsSpecial(id));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    void WriteByteLevel(Utf8JsonWriter json, GgufVocabulary vocabulary, Dictionary<string, int> ids)
    {
        string name = _metadata.Text($"{Prefix}pre") ?? "default";
        var pre = GgufPreTokenizer.Find(name) ?? throw new RecallException(
            $"{file.Path}: its pre-tokenizer ('{Prefix}pre') is {Quoted.Of(name)}; Recall knows {string.Join(", ", GgufPreTokenizer.Names)}");
        WriteSection(json, "normalizer", pre.Normalizes ? """{"type": "NFC"}""" : "null");
        WriteSection(json, "pre_tokenizer", pre.Sections);
        WritePostProcessor(json, vocabulary, _metadata.Flag($"{Prefix}add_bos_token") ?? pre.AddsBeginning);
        WriteSection(json, "decoder", """{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}""");
        WriteModel(json, vocabulary, vocabulary.ListedMerges(ids), fuse: false, bytes: false, pre.IgnoresMerges);
    }

    void WriteSentencePiece(Utf8JsonWriter json, GgufVocabulary vocabulary, Dictionary<string, int> ids)
    {
        if (_metadata.Has($"{Prefix}precompiled_charsmap"))
            throw new RecallException($"{file.Path}: its tokenizer has a precompiled_charsmap, which Recall does not read in a llama tokenizer");
        string prefix = _metadata.Flag($"{Prefix}add_space_prefix") ?? true ? "first" : "never";
        WriteSection(json, "normalizer", "null");
        WriteSection(json, "pre_tokenizer", $$"""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{{prefix}}", "split": false}""");
        WritePostProcessor(json, vocabulary, _metadata.Flag($"{Prefix}add_bos_token") ?? true);
        string strip = prefix == "first" ? """, {"type": "Strip", "content": " ", "start": 1, "stop": 0}""" : "";
        WriteSection(json, "decoder", $$"""
            {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
             {"type": "Fuse"}{{strip}}]}
            """);
        WriteModel(json, vocabulary, vocabulary.ImpliedMerges(ids), fuse: true, vocabulary.HasBytes, ignoreMerges: false);
    }

    void WritePostProcessor(Utf8JsonWriter json, GgufVocabulary vocabulary, bool addBeginning)
    {
        bool addEnd = _metadata.Flag($"{Prefix}add_eos_token") ?? false;
        var special = new JsonObject();
        JsonArray Template(params (string Sequence, int Type)[] sequences)
        {
            var template = new JsonArray();
            foreach (var (sequence, type) in sequences)
            {
                if (addBeginning) template.Add(Special("bos", type));
                template.Add(new JsonObject { ["Sequence"] = new JsonObject { ["id"] = sequence, ["type_id"] = type } });
                if (addEnd) template.Add(Special("eos", type));
            }
            return template;
        }
        JsonObject Special(string key, int type)
        {
            long id = SpecialId(vocabulary, key) ?? throw new RecallException($"{file.Path}: metadata '{Prefix}{key}_token_id' is missing");
            string token = vocabulary.Tokens[(int)id];
            special[token] = new JsonObject { ["id"] = token, ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(token) };
            return new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = token, ["type_id"] = type } };
        }
        var processor = new JsonObject { ["type"] = "TemplateProcessing", ["single"] = Template(("A", 0)), ["pair"] = Template(("A", 0), ("B", 1)) };
        processor["special_tokens"] = special;
        json.WritePropertyName("post_processor");
        processor.WriteTo(json);
    }

    static void WriteModel(Utf8JsonWriter json, GgufVocabulary vocabulary, IReadOnlyList<(string Left, string Right)> merges, bool fuse, bool bytes,
        bool ignoreMerges)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string absent in new[] { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" }) json.WriteNull(absent);
        json.WriteBoolean("fuse_unk", fuse);
        json.WriteBoolean("byte_fallback", bytes);
        json.WriteBoolean("ignore_merges", ignoreMerges);
        json.WriteStartObject("vocab");
        for (int id = 0; id < vocabulary.Tokens.Count; id++) json.WriteNumber(vocabulary.Tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    static void WriteSection(Utf8JsonWriter json, string name, string section)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(section);
    }

    JsonObject TokenizerConfig(GgufVocabulary vocabulary)
    {
        var config = new JsonObject { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["clean_up_tokenization_spaces"] = false };
        foreach (var (key, name) in new[] { ("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding") })
            if (SpecialId(vocabulary, name) is { } id) config[$"{key}_token"] = vocabulary.Tokens[(int)id];
        if (_metadata.Text("general.architecture") is { } family && _metadata.Integer($"{family}.context_length") is { } length)
            config["model_max_length"] = length;
        if (_metadata.Text("tokenizer.chat_template") is { } template) config["chat_template"] = template;
        return config;
    }

    JsonObject GenerationConfig()
    {
        var config = new JsonObject { ["_from_model_config"] = true };
        foreach (var (key, id) in GgufConfig.SpecialTokens(_metadata)) config[$"{key}_token_id"] = id;
        return config;
    }

    long? SpecialId(GgufVocabulary vocabulary, string name)
    {
        long? id = _metadata.Integer($"{Prefix}{name}_token_id");
        if (id is null) return null;
        return id >= 0 && id < vocabulary.Tokens.Count ? id
            : throw new RecallException($"{file.Path}: metadata '{Prefix}{name}_token_id' is {id}; there are {vocabulary.Tokens.Count} tokens");
    }
}
