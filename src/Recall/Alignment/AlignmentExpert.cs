using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Planning;
using Recall.Representations;
using Recall.Tokenization;

namespace Recall.Alignment;

/// <summary>An expert: with texts, or with its card only.</summary>
/// <param name="Name">Its name, for messages.</param>
/// <param name="Checkpoint">Its weights; an adapter applied to the base counts as one.</param>
/// <param name="Texts">Its texts; empty: none.</param>
/// <param name="Card">Its card; used where there are no texts.</param>
public sealed record AlignmentExpert(string Name, Checkpoint Checkpoint, IReadOnlyList<AlignmentText> Texts, Card? Card = null)
{
    /// <summary>How many experts it stands for: a merged model for all those in it.</summary>
    internal int Count => Card?.Experts ?? Math.Max(1, Texts.Select(text => text.Task).Distinct(StringComparer.Ordinal).Count());

    /// <summary>What its card's moments count; null: not weighed, 1. Those of texts count as each text says.</summary>
    internal double? Weight { get; init; }

    /// <summary>True where the texts were drawn for <see cref="TypicalTexts"/> to choose from.</summary>
    internal bool AreCandidates { get; private init; }

    /// <summary>
    /// Reads the texts, or the card, of a planned expert. Of a merged model that has both, the card counts where it stands for more
    /// experts.
    /// </summary>
    /// <exception cref="RecallException">Texts or a card that are missing, broken, or of another model.</exception>
    internal static AlignmentExpert Read(Checkpoint checkpoint, PlannedExpert planned, RecallOptions options)
    {
        string name = planned.Entry.Model.ToString();
        var card = planned.Card is { } path ? CardFile.Open(path) : null;
        if (card is not null && card.Model != ModelPrint.Of(checkpoint))
            throw new RecallException($"{card.Path}: is the card of another model than {name}, or of {name} before it was changed; make "
                + $"it anew: recall card {name} --samples FILE --out {card.Path}");
        Tokenizer? tokenizer = null;
        bool drawn = false;
        IReadOnlyList<int> Draw(int rows)
        {
            drawn = true;
            return TypicalSamples.Draw(rows, options.Candidates!.Value, options.Seed);
        }
        IReadOnlyList<AlignmentText> texts = planned.Samples is null ? []
            : AlignmentSamples.Read(name, planned.Samples, planned.Text, () => tokenizer ??= Tokenizer.Load(checkpoint), options.Count,
                options.MaxTokens, options.Candidates is null ? null : Draw);
        var expert = new AlignmentExpert(name, checkpoint, texts) { AreCandidates = drawn };
        return card is null || (texts.Count > 0 && expert.Count >= card.Experts) ? expert : expert with { Texts = [], Card = card };
    }
}
