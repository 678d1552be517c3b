using System.Globalization;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;

namespace Recall.Alignment;

/// <summary>Makes the card of an expert: <c>recall card MODEL --samples … --out card.safetensors</c>.</summary>
public static class CardRun
{
    /// <summary>Lets the expert read its texts, layer by layer, and writes what its layers read.</summary>
    /// <param name="path">Where the card is to lie.</param>
    /// <param name="name">The expert's name, for messages.</param>
    /// <param name="checkpoint">The expert; an adapter applied to its base.</param>
    /// <param name="texts">Its texts.</param>
    /// <param name="rank">Eigenvectors a second moment; null: whole matrices.</param>
    /// <param name="answers">Weight of the tokens that predict the answer, beside 1 for all tokens.</param>
    /// <param name="baseModel">The base, to measure what the expert's task asks for (<see cref="ExpertDemand"/>); null: the card does not say it.</param>
    /// <param name="compute">The type of the products in forward passes.</param>
    /// <param name="layerDone">Told the number of each block that is done.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <exception cref="RecallException">Texts that do not fit the model, or a disk that refuses.</exception>
    public static void Write(
        string path, string name, Checkpoint checkpoint, IReadOnlyList<AlignmentText> texts, int? rank, double answers,
        Checkpoint? baseModel = null, ComputeType compute = ComputeType.Float32, Action<int>? layerDone = null, CancellationToken cancellation = default)
    {
        if (texts.Count == 0) throw new RecallException($"{name}: a card is made of texts, and there are none");
        using var statistics = new LayerAlignment(checkpoint, [new AlignmentExpert(name, checkpoint, texts)],
            new AlignmentOptions { Kind = AlignmentKind.Align, Answers = answers, Compute = compute });
        string? demand = baseModel is null ? null : ExpertDemand.Measure(baseModel, name, checkpoint, texts, compute, cancellation)
            .ToString("R", CultureInfo.InvariantCulture);
        using var card = new CardWriter(path, [.. LayerStep.InputsOf(BlockOptions.Read(checkpoint))], rank, 1, answers, demand);
        statistics.Measure((input, moment) => card.Write(input, moment), layerDone, cancellation);
        card.Finish(ModelPrint.Of(checkpoint), ModelPrint.Of(texts), texts.Sum(text => (long)text.Ids.Length));
    }

    /// <summary>Bytes of a card: that of a 7B model of rank 16 has about 30 MB.</summary>
    /// <param name="checkpoint">The model.</param>
    /// <param name="rank">Eigenvectors a second moment; null: whole matrices.</param>
    public static long Size(Checkpoint checkpoint, int? rank) =>
        CardLayout.Tensors(LayerStep.InputsOf(BlockOptions.Read(checkpoint)), rank).Sum(tensor =>
            tensor.Shape.Elements * Numerics.DTypes.Size(tensor.Type));
}
