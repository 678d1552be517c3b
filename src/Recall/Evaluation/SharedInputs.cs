using System.Collections.Immutable;

namespace Recall.Evaluation;

/// <summary>
/// Inputs of a model of which one may begin another: such a beginning needs no pass of its own, since no token sees those after it. The
/// choices of a question, whose last token is not read, share their prompt in this way where they are one token long.
/// </summary>
sealed class SharedInputs
{
    public SharedInputs(IReadOnlyList<int[]> inputs)
    {
        var order = Enumerable.Range(0, inputs.Count).ToArray();
        Array.Sort(order, (a, b) => inputs[a].AsSpan().SequenceCompareTo(inputs[b]) is not 0 and var compared ? compared : a - b);
        var texts = ImmutableArray.CreateBuilder<int[]>();
        var textOf = new int[inputs.Count];
        // In this order all inputs that begin alike stand together, the shorter ones first.
        for (int i = order.Length - 1; i >= 0; i--)
        {
            if (texts.Count == 0 || !texts[^1].AsSpan().StartsWith(inputs[order[i]])) texts.Add(inputs[order[i]]);
            textOf[order[i]] = texts.Count - 1;
        }
        Texts = texts.ToImmutable();
        TextOf = [.. textOf];
    }

    /// <summary>The inputs that go through the model: none begins another.</summary>
    public ImmutableArray<int[]> Texts { get; }

    /// <summary>For each input, the text that it begins.</summary>
    public ImmutableArray<int> TextOf { get; }
}
