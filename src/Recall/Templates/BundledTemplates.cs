using System.Collections.Immutable;

namespace Recall.Templates;

/// <summary>Chat templates of widely used formats, by the names that mergekit gives them; the texts are Recall's own.</summary>
static class BundledTemplates
{
    /// <summary>Their names.</summary>
    public static readonly ImmutableArray<string> Names = ["alpaca", "chatml", "exaone", "llama3", "mistral"];

    /// <summary>The template of a name; null where there is none.</summary>
    public static string? Find(string name)
    {
        if (!Names.Contains(name)) return null;
        using var stream = typeof(BundledTemplates).Assembly.GetManifestResourceStream($"Recall.Templates.Chat.{name}.jinja")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().TrimEnd('\n');
    }
}
