using System.Globalization;
using System.Text;

namespace Recall.Extraction;

/// <summary>README.md of an extracted adapter, in the form that the Hugging Face Hub reads.</summary>
static class AdapterCard
{
    public static string Write(string tuned, string baseModel, ExtractionOptions options, IReadOnlyList<ExtractedModule> modules)
    {
        var card = new StringBuilder("---\n");
        // The Hub links base_model entries that are names there; local paths say nothing to others.
        if (baseModel.Count(letter => letter == '/') == 1 && baseModel[0] is not ('.' or '/') && !Path.Exists(baseModel))
            card.Append($"base_model: {baseModel}\n");
        card.Append("library_name: peft\ntags:\n- mergekit\n- peft\n- recall\n---\n");
        string title = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.Output)));
        card.Append(
            $"# {title}\n\nA LoRA adapter, extracted with Recall "
                + $"{typeof(AdapterCard).Assembly.GetName().Version!.ToString(3)} from {tuned}. Base: {baseModel}.\n\n");
        var factors = modules.Where(module => module.Rank is not null).ToList();
        card.Append(CultureInfo.InvariantCulture,
            $"{factors.Count} modules have factors of rank {factors.Min(module => module.Rank)} to {factors.Max(module => module.Rank)}");
        card.Append(CultureInfo.InvariantCulture, $", {modules.Count - factors.Count} are held whole. ");
        card.Append(
            "Lost is the share of the squared norm of a module's difference that its factors do not give.\n\n"
                + "| module | rank | lost |\n|---|---|---|\n");
        foreach (var module in factors)
            card.Append(CultureInfo.InvariantCulture, $"| {module.Module} | {module.Rank} | {module.Lost:P2} |\n");
        return card.ToString();
    }
}
