namespace Recall.Tokenization;

/// <summary>What a tokenizer.json puts around the ids of a text when special tokens are asked for: BOS, EOS, [CLS] … [SEP].</summary>
/// <param name="Before">Ids before the text.</param>
/// <param name="After">Ids after the text.</param>
sealed record PostProcessor(IReadOnlyList<int> Before, IReadOnlyList<int> After)
{
    static readonly PostProcessor Nothing = new([], []);

    /// <summary>Reads the section.</summary>
    public static PostProcessor Read(JsonPart? part)
    {
        if (part is not { } section) return Nothing;
        return section.Type switch
        {
            "ByteLevel" => Nothing,
            "Sequence" => section.Get("processors").Items.Select(item => Read(item)).Aggregate(Nothing, (inner, outer) =>
                outer.Around(inner)),
            "RobertaProcessing" or "BertProcessing" => new PostProcessor([TokenId(section.Get("cls"))], [TokenId(section.Get("sep"))]),
            "TemplateProcessing" => Template(section),
            _ => throw section.Unknown("post-processor", "TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel, Sequence"),
        };
    }

    PostProcessor Around(PostProcessor inner) => new([.. Before, .. inner.Before], [.. inner.After, .. After]);

    static int TokenId(JsonPart pair) => pair.Items.ToList() is [_, var id] ? id.Id
        : throw pair.Error("a token and its id are expected here");

    static PostProcessor Template(JsonPart section)
    {
        var special = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        foreach (var (name, token) in section.Get("special_tokens").Properties) special[name] = [.. token.Get("ids").Items.Select(id =>
            id.Id)];
        List<int> before = [], after = [];
        bool seen = false;
        foreach (var item in section.Get("single").Items)
        {
            if (item.Find("SpecialToken") is { } token)
            {
                string name = token.Get("id").Text;
                (seen ? after : before).AddRange(special.GetValueOrDefault(name)
                    ?? throw token.Error($"{Quoted.Of(name)} is not among 'special_tokens'"));
            }
            else
            {
                if (seen || item.Get("Sequence").Get("id").Text != "A") throw item.Error("the template of a single text holds the sequence A once");
                seen = true;
            }
        }
        return seen ? new PostProcessor(before, after) : throw section.Error("the template of a single text has no sequence A");
    }
}
