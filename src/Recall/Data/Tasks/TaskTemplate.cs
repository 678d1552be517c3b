using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Configuration.Yaml;
using Recall.Templates;

namespace Recall.Data.Tasks;

/// <summary>
/// A value of a task file that each row fills in: the name of a column, a Jinja template, a number, or (for choices) a list or mapping of
/// texts.
/// </summary>
sealed class TaskTemplate
{
    readonly string? _text;
    readonly JsonNode? _constant;
    readonly Lazy<JinjaTemplate>? _template;
    readonly Place _place;

    TaskTemplate(Place place, string? text, JsonNode? constant)
    {
        (_place, _text, _constant) = (place, text, constant);
        if (text is not null) _template = new Lazy<JinjaTemplate>(() => JinjaTemplate.Parse(text, place.Message("").TrimEnd(' ', ':')));
    }

    /// <summary>The template of a key, or null where the key is absent.</summary>
    public static TaskTemplate? Read(YamlSection section, string key)
    {
        if (section.Take(key) is not { } node) return null;
        var place = section.At(node, key);
        return node switch
        {
            YamlScalar { Plain: true } scalar when int.TryParse(scalar.Text, CultureInfo.InvariantCulture, out int number) =>
                new TaskTemplate(place, null, JsonValue.Create(number)),
            YamlScalar scalar => new TaskTemplate(place, scalar.Text, null),
            YamlSequence list => new TaskTemplate(place, null, new JsonArray([.. list.Items.Select(item => Constant(item, place))])),
            YamlMapping mapping => new TaskTemplate(place, null, new JsonArray([.. mapping.Entries.Select(entry =>
                Constant(entry.Value, place))])),
            _ => throw place.Error("a text is expected here"),
        };
    }

    static JsonValue Constant(YamlNode node, Place place) => node is YamlScalar scalar ? JsonValue.Create(scalar.Text)
        : throw place.Error("a list of texts is expected here");

    /// <summary>The value for a row: that of the column of this name, the rendered text, or the constant.</summary>
    public JsonNode? Value(JsonObject fields)
    {
        if (_text is null) return _constant!.DeepClone();
        if (fields.TryGetPropertyValue(_text, out var column)) return column?.DeepClone();
        return JsonValue.Create(_template!.Value.Render(fields));
    }

    /// <summary>The value as Python prints it.</summary>
    public string Text(JsonObject fields) => TextOf(Value(fields));

    /// <summary>The value as a list of texts: a column, a constant, or a template whose text is a Python list.</summary>
    public IReadOnlyList<string> List(DataRow row)
    {
        var value = Value(row.Fields);
        if (value is JsonValue single && single.TryGetValue(out string? text) && PythonLiteral.TryParse(text, out var list)) value = list;
        if (value is JsonObject mapping) value = new JsonArray([.. mapping.Select(entry => entry.Value?.DeepClone())]);
        if (value is not JsonArray items
            || items.Count == 0) throw _place.Error($"row {row.Number} gives no list of choices, but {Quoted.Of(TextOf(value))}");
        return [.. items.Select(TextOf)];
    }

    public RecallException Error(string what) => _place.Error(what);

    public static string TextOf(JsonNode? node) => node switch
    {
        null => "None",
        JsonValue value when value.TryGetValue(out string? text) => text,
        JsonValue { } value when value.GetValueKind() is JsonValueKind.True => "True",
        JsonValue { } value when value.GetValueKind() is JsonValueKind.False => "False",
        _ => Printer.Value.Render(new JsonObject { ["value"] = node.DeepClone() }),
    };

    static readonly Lazy<JinjaTemplate> Printer = new(() => JinjaTemplate.Parse("{{ value }}", "print"));
}
