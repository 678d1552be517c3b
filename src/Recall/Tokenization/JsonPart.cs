using System.Text.Json;

namespace Recall.Tokenization;

/// <summary>A part of a tokenizer.json with the keys that lead to it, so that an error can say where.</summary>
readonly record struct JsonPart(JsonElement Element, string Where, string Path)
{
    public RecallException Error(string what) => new($"{Where}{(Path.Length == 0 ? "" : ": " + Path)}: {what}");

    /// <summary>The value below a key, or null where it is absent or null.</summary>
    public JsonPart? Find(string key)
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Error("an object is expected here");
        if (!Element.TryGetProperty(key, out var value) || value.ValueKind == JsonValueKind.Null) return null;
        return new JsonPart(value, Where, Path.Length == 0 ? key : $"{Path}.{key}");
    }

    public JsonPart Get(string key) => Find(key) ?? throw Error($"'{key}' is missing");

    public string Text => Element.ValueKind == JsonValueKind.String ? ReadText() : throw Error($"a text is expected here, not {Kind}");

    public bool Truth => Element.ValueKind is JsonValueKind.True or JsonValueKind.False ? Element.GetBoolean()
        : throw Error($"true or false is expected here, not {Kind}");

    public string? FindText(string key) => Find(key)?.Text;

    public bool FindTruth(string key, bool otherwise = false) => Find(key)?.Truth ?? otherwise;

    /// <summary>The id of a token: 0 … 16,777,215.</summary>
    public int Id => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int id) && id is >= 0 and <= Vocabulary.LargestId
        ? id
        : throw Error($"an id is a whole number between 0 and {Vocabulary.LargestId}, not {Quoted.Of(Element.GetRawText())}");

    public IEnumerable<JsonPart> Items
    {
        get
        {
            if (Element.ValueKind != JsonValueKind.Array) throw Error($"a list is expected here, not {Kind}");
            return List();
        }
    }

    public IEnumerable<(string Key, JsonPart Value)> Properties
    {
        get
        {
            if (Element.ValueKind != JsonValueKind.Object) throw Error($"an object is expected here, not {Kind}");
            return Pairs();
        }
    }

    /// <summary>The value of <c>type</c>, and an error for one that is not known.</summary>
    public string Type => Get("type").Text;

    public RecallException Unknown(string what, string known) =>
        Error($"{what} {Quoted.Of(Type)} is not supported; Recall knows {known}");

    string Kind => Element.ValueKind.ToString().ToLowerInvariant();

    string ReadText()
    {
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new RecallException(Error("holds half of a surrogate pair, which is no text").Message, e);
        }
    }

    IEnumerable<JsonPart> List()
    {
        int i = 0;
        foreach (var item in Element.EnumerateArray()) yield return new JsonPart(item, Where, $"{Path}[{i++}]");
    }

    IEnumerable<(string, JsonPart)> Pairs()
    {
        foreach (var property in Element.EnumerateObject())
        {
            string name;
            try
            {
                name = property.Name;
            }
            catch (InvalidOperationException e)
            {
                throw new RecallException(Error("a key holds half of a surrogate pair, which is no text").Message, e);
            }
            yield return (name, new JsonPart(property.Value, Where, Path.Length == 0 ? name : $"{Path}.{name}"));
        }
    }
}
