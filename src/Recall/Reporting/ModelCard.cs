using System.Text;
using Recall.Planning;

namespace Recall.Reporting;

/// <summary>
/// README.md of the output, in the form that the Hugging Face Hub reads: what was merged, how, and the config; the sections are those of mergekit's cards, so
/// that programs which read these find their way.
/// </summary>
static class ModelCard
{
    public static string Write(MergePlan plan)
    {
        var card = new StringBuilder();
        var names = plan.Models.Select(model => model.Name).ToList();
        card.Append("---\n");
        // The Hub links base_model entries that are names there; local paths say nothing to others.
        var published = names.Where(name => name.Count(letter => letter == '/') == 1 && !name.StartsWith('.') && !name.StartsWith('/') && !Path.Exists(name)).ToList();
        if (published.Count > 0)
        {
            card.Append("base_model:\n");
            foreach (string name in published) card.Append($"- {name}\n");
        }
        card.Append("library_name: transformers\ntags:\n- mergekit\n- merge\n- recall\n---\n");
        string title = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(plan.Options.Output)));
        card.Append($"# {title}\n\nA merge of language models, made with Recall {typeof(ModelCard).Assembly.GetName().Version!.ToString(3)}.\n\n");
        card.Append("## Merge Details\n\n### Merge Method\n\n");
        var (method, source) = plan.Method.Reference;
        if (plan.Weighting is { } weighting)
        {
            card.Append("[RECALL](https://arxiv.org/abs/2510.20479): each layer by its own weights, from the similarity of what the models' layers represent, ");
            card.Append($"combined by {Linked(method, source)}. Reference model: {plan.Models[weighting.Models[weighting.Reference]].Name}.");
        }
        else
        {
            card.Append($"{Linked(method, source)}.");
        }
        card.Append(plan.Config.BaseModel is { } baseModel ? $" Base: {baseModel}.\n\n" : "\n\n");
        card.Append("### Models Merged\n\n");
        foreach (string name in names.Where(name => name != plan.Config.BaseModel?.ToString())) card.Append($"* {name}\n");
        card.Append($"\n### Configuration\n\n```yaml\n{plan.Config.Text.TrimEnd()}\n```\n");
        return card.ToString();
    }

    static string Linked(string title, string? source) => source is null ? title : $"[{title}]({source})";
}
