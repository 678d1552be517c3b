using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Representations;
using static TorchSharp.torch;

namespace FiveAdapters;

/// <summary>Mean loss of the right answers, in natural units per token.</summary>
static class Scores
{
    /// <summary>The loss of each task, and of plain text where the set is whole.</summary>
    public static Dictionary<string, double> Of(Checkpoint checkpoint, TaskTexts texts, IEnumerable<SetEntry> set, int limit, bool plain)
    {
        using var quiet = no_grad();
        using var model = LanguageModel.Load(checkpoint, Environment.GetEnvironmentVariable("SCORE") == "bfloat16" ? ScalarType.BFloat16
            : ScalarType.Float32);
        var scores = set.ToDictionary(entry => entry.Name, entry => Loss(model, texts.Test(entry, Math.Min(entry.Rows, limit)), entry.OverRows));
        if (plain) scores.Add("plain", Loss(model, texts.Plain(), false));
        return scores;
    }

    /// <summary>Mean over rows of the row's mean, or over all answer tokens.</summary>
    static double Loss(LanguageModel model, IReadOnlyList<AlignmentText> texts, bool overRows)
    {
        double sum = 0, count = 0;
        foreach (var text in texts)
        {
            using var scope = NewDisposeScope();
            using var context = AttentionContext.Of(model.Options, text.Ids.Length, model.Type);
            var ids = tensor(text.Ids.Select(id => (long)id).ToArray()).unsqueeze(0);
            var hidden = model.Forward(ids, context)[0].narrow(0, text.Answer - 1, text.Ids.Length - text.Answer);
            var targets = tensor(text.Ids[text.Answer..].Select(id => (long)id).ToArray());
            double loss = nn.functional.cross_entropy(model.Logits(hidden).to_type(ScalarType.Float32), targets).item<float>();
            double weight = overRows ? 1 : targets.numel();
            (sum, count) = (sum + loss * weight, count + weight);
        }
        return sum / count;
    }
}
