namespace Recall.Alignment;

/// <summary>A text by which an expert is aligned.</summary>
/// <param name="Ids">Its tokens.</param>
/// <param name="Answer">Index of the first token of the answer, 1 … tokens − 1; equal to the number of tokens: a text without an
/// answer.</param>
public sealed record AlignmentText(int[] Ids, int Answer)
{
    /// <summary>
    /// The task that the text stands for: statistics are normalised task by task, so that a merged model with the kept texts of three
    /// experts counts three times.
    /// </summary>
    public string Task { get; init; } = "";

    /// <summary>What its task weighs among those of all experts; null, the default: not weighed, 1.</summary>
    public double? Weight { get; init; }

    /// <summary>The first token whose prediction is scored: the last of the prompt; the first of all in a text without an answer.</summary>
    internal int FirstScored => Answer < Ids.Length ? Answer - 1 : 0;

    /// <summary>The tokens that predict the answer and what follows: from here on.</summary>
    internal int FirstPredicting => Answer < Ids.Length ? Answer - 1 : Ids.Length;
}
