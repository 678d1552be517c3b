using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Representations;
using TorchSharp;

namespace Recall.Tests.Alignment;

/// <summary>Cards that are not rounded to a file's types.</summary>
static class InMemoryCards
{
    /// <summary>The expert with its card in place of its texts.</summary>
    public static AlignmentExpert Replace(Checkpoint baseModel, AlignmentExpert expert, int? rank)
    {
        var moments = Moments(baseModel, [expert], new AlignmentOptions { Kind = AlignmentKind.Align });
        return expert with { Texts = [], Card = Of(baseModel, moments, rank) };
    }

    /// <summary>A card of moments.</summary>
    public static Card Of(Checkpoint baseModel, Dictionary<string, (torch.Tensor Matrix, double Ridge)> moments, int? rank,
        int experts = 1) => new("memory", input =>
    {
        var (matrix, ridge) = moments[input];
        using var whole = new SecondMoment((int)matrix.shape[0]) { Matrix = matrix.clone(), Ridge = ridge };
        return rank is { } kept ? whole.Cut(kept) : whole with { Matrix = matrix.clone() };
    })
        {
            Inputs = [.. LayerStep.InputsOf(BlockOptions.Read(baseModel))],
            Rank = rank,
            Experts = experts,
        };

    /// <summary>The sums of the second moments that a merge uses, and its ridges.</summary>
    public static Dictionary<string, (torch.Tensor Matrix, double Ridge)> Moments(Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options)
    {
        var moments = new Dictionary<string, (torch.Tensor, double)>();
        using var alignment = new LayerAlignment(baseModel, experts, options);
        alignment.Run((_, _, _) => { }, (input, system) =>
        {
            var sum = torch.zeros([system.Size, system.Size], torch.ScalarType.Float64).DetachFromDisposeScope();
            if (system.Sums is { } folded) sum.add_(folded.Sum);
            foreach (var moment in system.Moments) moment.AddTo(sum);
            moments.Add(input, (sum, experts.Count > 1 ? system.Ridge : 0));
        }, null, default);
        return moments;
    }
}
