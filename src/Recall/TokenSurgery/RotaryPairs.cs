using Recall.Planning;
using Recall.Representations;

namespace Recall.TokenSurgery;

/// <summary>
/// The pairs of values that rotary positions turn together (arXiv 2104.09864), in a row as wide as the hidden state: in each stretch of headDim values,
/// value i and value i + headDim / 2, by position · θ^(−2i / headDim). What is left at the end of a row stays.
/// </summary>
/// <param name="headDim">Values in a head, even.</param>
/// <param name="frequencies">Angle per position of each pair, [headDim / 2].</param>
sealed class RotaryPairs(int headDim, double[] frequencies)
{
    /// <summary>Those of a model, by its config.json.</summary>
    /// <exception cref="RecallException">It has none that Recall knows.</exception>
    public static RotaryPairs Of(OpenedModel model)
    {
        try
        {
            var options = BlockOptions.Read(model.Checkpoint.Config, model.Name);
            return options.Kinds[0].Rope is { Interleaved: false } rope && rope.Dim == options.HeadDim
                ? new RotaryPairs(options.HeadDim, rope.Frequencies(1))
                : throw new RecallException($"{model.Name} has none that turn the two halves of whole heads.");
        }
        catch (RecallException error)
        {
            throw new RecallException($"-a mp_rope needs the rotary positions of both models; -a omp does without. {error.Message}", error);
        }
    }

    /// <summary>Turns a row by a position, forth or back.</summary>
    public void Turn(Span<float> row, int position)
    {
        int half = headDim / 2;
        for (int i = 0; i < half; i++)
        {
            var (sine, cosine) = Math.SinCos(position * frequencies[i]);
            for (int at = i; at + headDim - i <= row.Length; at += headDim)
            {
                double x = row[at], y = row[at + half];
                row[at] = (float)(x * cosine - y * sine);
                row[at + half] = (float)(y * cosine + x * sine);
            }
        }
    }
}
