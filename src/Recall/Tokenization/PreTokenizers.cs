using Recall.Tokenization.Unicode;

namespace Recall.Tokenization;

/// <summary>The pre-tokenizers of a tokenizer.json, flattened into the order in which they run.</summary>
static class PreTokenizers
{
    const string Known = "Sequence, ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, BertPreTokenizer, Metaspace";
    const string Punctuation = @"[\p{P}$+<=>\^`|~]";

    /// <summary>The steps; <c>MapsBytes</c>: the last one is ByteLevel, and leaves the mapping of bytes to the model.</summary>
    public static (IReadOnlyList<PreTokenizer> Steps, bool MapsBytes) Read(JsonPart? part)
    {
        var sections = new List<JsonPart>();
        if (part is { } top) Flatten(top, sections);
        bool mapsBytes = sections.Count > 0 && sections[^1].Type == "ByteLevel";
        var steps = new List<PreTokenizer>();
        for (int i = 0; i < sections.Count; i++) Add(sections[i], mapsBytes && i == sections.Count - 1, steps);
        return (steps, mapsBytes);
    }

    static void Flatten(JsonPart part, List<JsonPart> sections)
    {
        if (part.Type != "Sequence") sections.Add(part);
        else foreach (var item in part.Get("pretokenizers").Items) Flatten(item, sections);
    }

    static void Add(JsonPart part, bool modelMaps, List<PreTokenizer> steps)
    {
        void Split(string pattern, SplitBehavior behavior, bool invert = false) =>
            steps.Add(new PatternSplit(TextPattern.Parse(pattern, part.Type), behavior, invert));
        switch (part.Type)
        {
            case "ByteLevel":
                steps.Add(new ByteLevelSplit(part.FindTruth("add_prefix_space", true), part.FindTruth("use_regex", true),
                !modelMaps)); break;
            case "Split":
                steps.Add(new PatternSplit(TextPattern.Read(part.Get("pattern")), Behavior(part.Get("behavior")),
                part.FindTruth("invert"))); break;
            case "Digits": Split(@"\p{N}", part.FindTruth("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous); break;
            case "Punctuation":
                Split(Punctuation, part.Find("behavior") is { } behavior ? Behavior(behavior)
                : SplitBehavior.Isolated); break;
            // Rust's \w, unlike Oniguruma's, holds the two joiners.
            case "Whitespace": Split(@"[\w\u200C\u200D]+|[^\w\s\u200C\u200D]+", SplitBehavior.Removed, invert: true); break;
            case "WhitespaceSplit": Split(@"\s", SplitBehavior.Removed); break;
            case "BertPreTokenizer":
                Split(@"\s", SplitBehavior.Removed);
                Split(Punctuation, SplitBehavior.Isolated);
                break;
            case "CharDelimiterSplit":
                steps.Add(new PatternSplit(TextPattern.Literal(part.Get("delimiter").Text, part.Type), SplitBehavior.Removed,
                    invert: false));
                break;
            case "Metaspace": steps.Add(new MetaspaceSplit(Replacement(part), Scheme(part), part.FindTruth("split", true))); break;
            default: throw part.Unknown("pre-tokenizer", Known);
        }
    }

    /// <summary>The character that stands for a blank; U+2581 unless told.</summary>
    public static char Replacement(JsonPart part) => part.FindText("replacement") switch
    {
        null => '\u2581',
        [var single] => single,
        var other => throw part.Error($"'replacement' must be one character, not {Quoted.Of(other)}"),
    };

    /// <summary>always, first or never; older files say <c>add_prefix_space</c> instead.</summary>
    public static string Scheme(JsonPart part) => part.FindText("prepend_scheme") switch
    {
        null => part.FindTruth("add_prefix_space", true) ? "always" : "never",
        var scheme and ("always" or "first" or "never") => scheme,
        var other => throw part.Error($"'prepend_scheme' is always, first or never, not {Quoted.Of(other)}"),
    };

    static SplitBehavior Behavior(JsonPart part) => part.Text switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var other => throw part.Error($"{Quoted.Of(other)} is not one of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous"),
    };
}
