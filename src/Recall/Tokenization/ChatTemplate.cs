using System.Text;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Templates;

namespace Recall.Tokenization;

/// <summary>The chat templates of models, and what mergekit's <c>chat_template</c> may ask for.</summary>
static class ChatTemplate
{
    const int ShortestLiteral = 20;

    /// <summary>A model's template: chat_template.jinja, or else that of tokenizer_config.json (of several the default one). Null:
    /// none.</summary>
    /// <exception cref="RecallException">tokenizer_config.json is broken.</exception>
    public static string? Of(IReadOnlyList<CheckpointFile> files)
    {
        if (files.FirstOrDefault(file => file.Name == "chat_template.jinja") is { } own)
            return Encoding.UTF8.GetString(own.Read().Span);
        if (files.FirstOrDefault(file => file.Name == "tokenizer_config.json") is not { } config) return null;
        return TokenizerFiles.ReadObject(config)["chat_template"] switch
        {
            JsonArray named => Text(named.OfType<JsonObject>().FirstOrDefault(entry => Text(entry["name"]) == "default")?["template"]),
            JsonObject named => Text(named["default"]),
            var one => Text(one),
        };
    }

    /// <summary>The template that most models have, blanks around it left out; of equally many the first. Null where none has
    /// one.</summary>
    public static string? MostCommon(IEnumerable<IReadOnlyList<CheckpointFile>> models) =>
        models.Select(Of).Select(template => template?.Trim()).Where(template => !string.IsNullOrEmpty(template))
            .GroupBy(template => template, StringComparer.Ordinal).MaxBy(group => group.Count())?.Key;

    /// <summary>The bundled template of that name, or the text itself where it is Jinja.</summary>
    /// <exception cref="RecallException">Neither.</exception>
    public static string Named(string text)
    {
        if (BundledTemplates.Find(text) is { } bundled) return bundled;
        if (text.Length < ShortestLiteral || !text.Contains('{'))
        {
            string known = $"auto, {string.Join(", ", BundledTemplates.Names)}";
            string hint = Quoted.Nearest(text, BundledTemplates.Names.Append("auto")) is { } near ? $"; did you mean '{near}'?" : "";
            throw new RecallException($"{Quoted.Of(text)} is no chat template: one of {known} is expected, or Jinja of at least "
                + $"{ShortestLiteral} characters with a '{{' in it{hint}");
        }
        JinjaTemplate.Parse(text, "this is no Jinja", JinjaOptions.Chat);
        return text;
    }

    static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
