using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;

namespace Recall.Alignment;

/// <summary>
/// The few texts that stand for a task, as <see cref="TypicalSamples"/> chooses them: K-means over their representations in the expert's
/// own model.
/// </summary>
static class TypicalTexts
{
    /// <summary>The experts with the texts that they are merged by: chosen among candidates where such were drawn.</summary>
    public static ImmutableArray<AlignmentExpert> Chosen(
        ImmutableArray<AlignmentExpert> experts, RecallOptions options, CancellationToken cancellation) =>
        [.. experts.Select(expert => expert.AreCandidates ? expert with { Texts = Choose(expert, options, cancellation) } : expert)];

    /// <summary>
    /// The texts that a merged model keeps: all that it was merged by, each with the name of its task; of a task that has more than
    /// <see cref="RecallOptions.Count"/> the typical ones.
    /// </summary>
    public static IReadOnlyList<AlignmentText> Kept(
        IEnumerable<AlignmentExpert> experts, RecallOptions options, CancellationToken cancellation) =>
        [.. experts.SelectMany(expert => Choose(expert, options, cancellation)
            .Select(text => text.Task.Length > 0 ? text : text with { Task = expert.Name }))];

    static IReadOnlyList<AlignmentText> Choose(AlignmentExpert expert, RecallOptions options, CancellationToken cancellation) =>
        [.. expert.Texts.GroupBy(text => text.Task, StringComparer.Ordinal).SelectMany(task =>
            Choose(expert.Name, expert.Checkpoint, [.. task], options, cancellation))];

    static IReadOnlyList<AlignmentText> Choose(
        string name, Checkpoint model, AlignmentText[] texts, RecallOptions options, CancellationToken cancellation)
    {
        if (texts.Length <= options.Count) return texts;
        var states = Represent.Pooled(name, model, [.. texts.Select(text => text.Ids)], options, cancellation);
        string[] same = [.. texts.Select(text => $"{string.Join(' ', text.Ids)} {text.Answer}")];
        return [.. TypicalSamples.Choose(states, same, options.Count, options.Seed, cancellation).Select(chosen => texts[chosen.Row])];
    }
}
