using System.Text.Json.Serialization;
using Recall.Checkpoints;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>What <c>recall diff</c> says, as it is written for scripts.</summary>
/// <param name="A">The one model.</param>
/// <param name="B">The other.</param>
/// <param name="Tolerance">What may differ.</param>
/// <param name="Within">True if nothing differs by more.</param>
/// <param name="Differing">Tensors of which some value differs.</param>
/// <param name="All">All tensors that both have, taken together.</param>
/// <param name="Layers">Per layer; <c>layer</c> is null for the tensors outside of the layers.</param>
/// <param name="Tensors">Per tensor.</param>
/// <param name="Shapes">Tensors of different shapes.</param>
/// <param name="OnlyInA">Names that the other lacks.</param>
/// <param name="OnlyInB">Names that the one lacks.</param>
sealed record DiffReport(
    string A, string B, double Tolerance, bool Within, int Differing, DiffNumbers All,
    IReadOnlyList<LayerDiff> Layers, IReadOnlyList<TensorDiff> Tensors, IReadOnlyList<ShapeDiff> Shapes,
    IReadOnlyList<string> OnlyInA, IReadOnlyList<string> OnlyInB)
{
    public static DiffReport Of(OpenedModel a, OpenedModel b, double tolerance, CheckpointDifference difference)
    {
        // Of models with several modules the layers of the main one are told apart.
        int? LayerOf(string name) => a.Architecture.ModuleOf(name) == a.Architecture.ModuleName ? a.Architecture.LayerOf(name)?.Layer : null;
        var layers = difference.Tensors.GroupBy(tensor => LayerOf(tensor.Name))
            .OrderBy(group => group.Key is null).ThenBy(group => group.Key)
            .Select(group => new LayerDiff(group.Key, group.Count(), DiffNumbers.Of(Sum(group))));
        var tensors = difference.Tensors.Select(tensor => new TensorDiff(
            tensor.Name, LayerOf(tensor.Name), tensor.A.DType.ToString(), tensor.B.DType.ToString(), DiffNumbers.Of(tensor.Sums)));
        int differing = difference.Tensors.Count(tensor => tensor.Sums is not { Largest: 0, NotComparable: 0 });
        return new DiffReport(
            a.Name, b.Name, tolerance, difference.Within(tolerance), differing,
            DiffNumbers.Of(Sum(difference.Tensors)), [.. layers], [.. tensors],
            [.. difference.Shapes.Select(pair => new ShapeDiff(pair.A.Name, pair.A.Shape.Dimensions, pair.B.Shape.Dimensions))],
            difference.OnlyInA, difference.OnlyInB);
    }

    static DifferenceSums Sum(IEnumerable<TensorDifference> tensors) =>
        tensors.Aggregate(default(DifferenceSums), (sum, tensor) => sum + tensor.Sums);
}

/// <summary>How far two sets of values a and b are apart.</summary>
/// <param name="MaxAbs">Largest |a − b|.</param>
/// <param name="Relative">‖a − b‖ / ‖a‖; null where a is 0 everywhere and b is not.</param>
/// <param name="Cosine">Cosine of the angle between them; null where one is 0 everywhere and the other is not.</param>
/// <param name="NotComparable">Positions at which a NaN or an infinity stands beside something else.</param>
sealed record DiffNumbers(double MaxAbs, double? Relative, double? Cosine, long NotComparable)
{
    public static DiffNumbers Of(DifferenceSums sums) => new(sums.Largest, sums.Relative, sums.Cosine, sums.NotComparable);
}

/// <summary>A layer; null: all that is outside of the layers.</summary>
sealed record LayerDiff(int? Layer, int Tensors, DiffNumbers Difference);

/// <summary>A tensor, with the types in which the two models keep it.</summary>
sealed record TensorDiff(
    string Name, int? Layer, [property: JsonPropertyName("dtype_a")] string DTypeA, [property: JsonPropertyName("dtype_b")] string DTypeB,
    DiffNumbers Difference);

/// <summary>A tensor whose shapes differ.</summary>
sealed record ShapeDiff(string Name, IReadOnlyList<long> ShapeA, IReadOnlyList<long> ShapeB);
