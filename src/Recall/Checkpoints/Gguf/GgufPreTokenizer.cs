namespace Recall.Checkpoints.Gguf;

/// <summary>
/// How byte-level BPE tokenizers cut a text before merging, under the names of <c>tokenizer.ggml.pre</c>, with the sections of tokenizer.json that
/// the models' own files have.
/// </summary>
/// <param name="Sections">The <c>pre_tokenizer</c>.</param>
sealed record GgufPreTokenizer(string Sections)
{
    const string ByteLevelWithRegex = """{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}""";
    const string ByteLevel = """{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}""";

    static readonly GgufPreTokenizer Gpt2 = new(ByteLevelWithRegex);

    static readonly GgufPreTokenizer Digits
        = new($$"""{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, {{ByteLevelWithRegex}}]}""");

    static readonly GgufPreTokenizer Llama3 = Split(
        """(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+""")
        with
    { IgnoresMerges = true, AddsBeginning = true };

    static readonly GgufPreTokenizer Qwen2 = Split(
        """(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+""")
        with
    { Normalizes = true };

    const string LowerWord = """[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+""";
    const string UpperWord = """[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*""";
    const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?", Rest = """ ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+""";

    static readonly GgufPreTokenizer Tekken
        = Split($$"""{{LowerWord}}|{{UpperWord}}|\\p{N}|{{Rest}}""") with { IgnoresMerges = true, AddsBeginning = true };

    static readonly GgufPreTokenizer Gpt4O = Split($$"""{{LowerWord}}{{Contraction}}|{{UpperWord}}{{Contraction}}|\\p{N}{1,3}|{{Rest}}""");

    static readonly GgufPreTokenizer DeepSeek3 = Split(
        """\\p{N}{1,3}""", """[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+""",
        """[!\\\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"""
        + """|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+""");

    static readonly Dictionary<string, GgufPreTokenizer> Known = new()
    {
        ["gpt-2"] = Gpt2, ["phi-2"] = Gpt2, ["mpt"] = Gpt2 with { Normalizes = true }, ["olmo"] = Gpt2 with { Normalizes = true },
        ["smollm"] = Digits, ["starcoder"] = Digits, ["refact"] = Digits, ["codeshell"] = Digits, ["command-r"] = Digits with { Normalizes = true },
        ["llama3"] = Llama3, ["llama-v3"] = Llama3, ["llama-bpe"] = Llama3, ["qwen2"] = Qwen2, ["tekken"] = Tekken,
        ["gpt-4o"] = Gpt4O, ["deepseek-v3"] = DeepSeek3,
    };

    /// <summary>The text is brought to Unicode's form NFC first.</summary>
    public bool Normalizes { get; init; }

    /// <summary>A piece that is a token as a whole is not split and merged again.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>A beginning token is put in front where the file does not say.</summary>
    public bool AddsBeginning { get; init; }

    public static IEnumerable<string> Names => Known.Keys;

    public static GgufPreTokenizer? Find(string name) => Known.GetValueOrDefault(name);

    static GgufPreTokenizer Split(params string[] patterns)
    {
        var splits = patterns.Select(pattern
            => $$$"""{"type": "Split", "pattern": {"Regex": "{{{pattern}}}"}, "behavior": "Isolated", "invert": false}""");
        return new GgufPreTokenizer($$"""{"type": "Sequence", "pretokenizers": [{{string.Join(", ", splits)}}, {{ByteLevel}}]}""");
    }
}
