using System.Runtime.Intrinsics;

namespace Recall.Representations;

/// <summary>Representations of some texts in one layer of one model: [texts, hidden], row-major, double precision.</summary>
/// <param name="count">Number of texts.</param>
/// <param name="size">Values of one representation: the hidden size.</param>
public sealed class PooledStates(int count, int size)
{
    /// <summary>Number of texts.</summary>
    public int Count => count;

    /// <summary>Values of one representation.</summary>
    public int Size => size;

    /// <summary>All values, row after row.</summary>
    public double[] Values { get; } = new double[checked(count * size)];

    /// <summary>The representation of one text.</summary>
    public Span<double> this[int text] => Values.AsSpan(text * size, size);

    /// <summary>These texts, in this order; a text may be taken more than once.</summary>
    public PooledStates Take(IReadOnlyList<int> texts)
    {
        var taken = new PooledStates(texts.Count, size);
        for (int i = 0; i < texts.Count; i++) this[texts[i]].CopyTo(taken[i]);
        return taken;
    }

    /// <summary>Refuses values that are not finite: nothing computed from them would mean anything.</summary>
    /// <exception cref="RecallException">There is one; the message names the model and the layer.</exception>
    internal void RequireFinite(string model, int layer)
    {
        for (int text = 0; text < count; text++)
        {
            foreach (double value in this[text])
            {
                if (double.IsFinite(value)) continue;
                string place = layer == 0 ? "the embedding (layer 0)" : $"block {layer - 1} (layer {layer})";
                throw new RecallException($"{model}: the output of {place} holds {(double.IsNaN(value) ? "NaN" : "infinity")} for text {text + 1} of {count}: "
                    + "its weights are broken, or its numbers overflow in this type; try 'compute: float32', else leave the model out");
            }
        }
    }

    /// <summary>
    /// ‖a − b‖². Eight lanes on every machine, and no fused multiply-add: the same result whatever the width of the hardware's vectors.
    /// </summary>
    internal static double SquaredDistance(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sums = Vector512<double>.Zero;
        int i = 0;
        for (; i <= a.Length - Vector512<double>.Count; i += Vector512<double>.Count)
        {
            var difference = Vector512.Create(a.Slice(i, Vector512<double>.Count)) - Vector512.Create(b.Slice(i, Vector512<double>.Count));
            sums += difference * difference;
        }
        double sum = Vector512.Sum(sums);
        for (; i < a.Length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    }
}
