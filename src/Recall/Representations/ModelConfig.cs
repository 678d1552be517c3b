using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Representations;

/// <summary>The keys of a config.json, or of an object within it, with errors that name file and key.</summary>
/// <param name="Values">The object.</param>
/// <param name="Where">What stands before the key in messages: <c>model/config.json: rope_scaling.</c></param>
readonly record struct ModelConfig(JsonObject Values, string Where)
{
    /// <summary>True where the key is there and not null.</summary>
    public bool Has(string key) => Values[key] is not null;

    /// <summary>A whole number within bounds; the default, or an error without one, where the key is absent or null.</summary>
    public int Integer(string key, int least, int most, int? @default = null)
    {
        double number = Number(key, double.NegativeInfinity, @default);
        if (number != Math.Floor(number) || number < least || number > most)
            throw Error(key, $"must be a whole number from {least} to {most}, not {number:R}");
        return (int)number;
    }

    /// <summary>A finite number above a bound.</summary>
    public double Number(string key, double above, double? @default = null)
    {
        if (Values[key] is not { } node) return @default ?? throw Error(key, "is missing");
        // By its text: a config that was made in memory holds integers, which do not count as double.
        if (node.GetValueKind() != JsonValueKind.Number
            || !double.TryParse(node.ToJsonString(), out double number) || !double.IsFinite(number))
            throw Error(key, "must be a number");
        return number > above ? number : throw Error(key, $"must be above {above:R}, not {number:R}");
    }

    /// <summary>A truth value.</summary>
    public bool Flag(string key, bool @default = false) => Values[key] is not { } node ? @default : node.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Error(key, "must be true or false"),
    };

    /// <summary>A text, or null.</summary>
    public string? Text(string key) => Values[key] is not { } node ? null
        : node.GetValueKind() == JsonValueKind.String ? (string?)node : throw Error(key, "must be a text");

    /// <summary>A list of texts, or null.</summary>
    public string[]? Texts(string key)
    {
        if (Values[key] is not { } node) return null;
        if (node is not JsonArray list || list.Any(item => item?.GetValueKind() != JsonValueKind.String))
            throw Error(key, "must be a list of texts");
        return [.. list.Select(item => (string)item!)];
    }

    /// <summary>An object within, or null.</summary>
    public ModelConfig? Section(string key) => Values[key] is not { } node ? null
        : node is JsonObject section ? new ModelConfig(section, $"{Where}{key}.") : throw Error(key, "must be an object");

    /// <summary>An error about a key.</summary>
    public RecallException Error(string key, string what) => new($"{Where}{key} {what}");
}
