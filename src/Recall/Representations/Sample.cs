using System.Text.Json.Nodes;

namespace Recall.Representations;

/// <summary>A text of the newest task, as the models read it.</summary>
/// <param name="Row">Its row in the data file, from 0.</param>
/// <param name="Text">The text.</param>
/// <param name="Ids">Its token ids, special tokens included, cut to the length that counts.</param>
public sealed record Sample(int Row, string Text, int[] Ids)
{
    /// <summary>The row's fields; null: a text without any.</summary>
    public JsonObject? Fields { get; init; }

    /// <summary>How many candidates it stands for, itself included; default 1.</summary>
    public int ClusterSize { get; init; } = 1;
}
