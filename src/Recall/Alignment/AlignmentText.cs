namespace Recall.Alignment;

/// <summary>A text by which an expert is aligned.</summary>
/// <param name="Ids">Its tokens.</param>
/// <param name="Answer">Index of the first token of the answer, 1 … tokens − 1; equal to the number of tokens: a text without an answer.</param>
public sealed record AlignmentText(int[] Ids, int Answer)
{
    /// <summary>
    /// The task that the text stands for: statistics are normalised task by task, so that a merged model with the kept texts of three experts counts
    /// three times.
    /// </summary>
    public string Task { get; init; } = "";

    /// <summary>The text and other fields of the row it came from, kept for the merged model's samples; null: tokens only.</summary>
    public System.Text.Json.Nodes.JsonObject? Fields { get; init; }

    /// <summary>The tokens that predict the answer and what follows: from here on.</summary>
    internal int FirstPredicting => Answer < Ids.Length ? Answer - 1 : Ids.Length;
}

/// <summary>An expert as it takes part: with texts, or with its card only.</summary>
/// <param name="Name">Its name, for messages.</param>
/// <param name="Checkpoint">Its weights; an adapter applied to the base counts as one.</param>
/// <param name="Texts">Its texts; empty: none.</param>
/// <param name="Card">Its card; used where there are no texts.</param>
public sealed record AlignmentExpert(string Name, Checkpoints.Checkpoint Checkpoint, IReadOnlyList<AlignmentText> Texts, Card? Card = null)
{
    /// <summary>How many experts it stands for: a merged model for all those in it.</summary>
    internal int Count => Card?.Experts ?? Math.Max(1, Texts.Select(text => text.Task).Distinct(StringComparer.Ordinal).Count());
}
