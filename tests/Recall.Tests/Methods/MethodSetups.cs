using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Methods;

namespace Recall.Tests.Methods;

/// <summary>
/// Methods with parameters to try. Values are multiples of small powers of two and weights are dyadic, so that sums of few of them are exact and
/// equal magnitudes are frequent.
/// </summary>
static class MethodSetups
{
    static readonly double[] Weights = [0.5, 0.75, -0.25, 1, 0.25, -0.5];

    /// <summary>Method, models, base (−1: none), parameters (of the tensor, and per model: the same for all).</summary>
    public static readonly (string Method, int Models, int Base, string Parameters)[] All =
    [
        ("linear", 3, -1, ""), ("linear", 3, -1, "normalize=0"), ("slerp", 2, 1, "t=0.25"),
        ("nuslerp", 2, -1, ""), ("nuslerp", 3, 1, ""), ("nuslerp", 2, -1, "nuslerp_flatten=0"), ("nuslerp", 3, 0, "nuslerp_flatten=0"),
        ("nuslerp", 2, -1, "nuslerp_flatten=0 nuslerp_row_wise=1"), ("nuslerp", 3, 2, "nuslerp_flatten=0 nuslerp_row_wise=1"),
        ("multislerp", 3, -1, ""), ("multislerp", 4, 2, ""), ("multislerp", 3, 0, "normalize_weights=0"),
        ("karcher", 3, -1, ""), ("karcher", 4, -1, "max_iter=3 tol=0.001"), ("passthrough", 1, -1, "scale=0.5"),
        ("task_arithmetic", 3, 0, ""), ("task_arithmetic", 4, 1, "normalize=1 lambda=0.5"),
        ("ties", 3, 0, "density=0.5"), ("ties", 4, 2, "density=0.25 normalize=0 lambda=2"), ("ties", 3, 1, "density=0.7 rescale=1"),
        ("ties", 3, 1, "density=0"), ("ties", 3, 1, "density=1"), ("ties", 3, 1, "density=0.99999"),
        ("ties", 2, 0, "density=0.5"), ("ties", 5, 0, "density=0.5"), ("ties", 6, 3, "density=0.5"), ("breadcrumbs", 5, 2, "density=0.7 gamma=0.1"),
        ("dare_linear", 3, 0, "density=0.3"), ("dare_linear", 2, 1, "density=0.75 rescale=0 normalize=1"), ("dare_ties", 4, 0, "density=0.6"),
        ("breadcrumbs", 3, 0, "density=0.7 gamma=0.1"), ("breadcrumbs_ties", 4, 1, "density=0.9 gamma=0.2 normalize=1"),
        ("breadcrumbs", 3, 0, "density=0.5 gamma=0"), ("breadcrumbs_ties", 3, 0, "density=0.4 gamma=0.02 rescale=1"),
        ("della", 3, 0, "density=0.5 epsilon=0.25"), ("della_linear", 3, 2, "density=0.4"), ("della_linear", 2, 0, "density=0.6 epsilon=0 rescale=0"),
        ("model_stock", 3, 0, ""), ("model_stock", 4, 2, ""), ("model_stock", 4, 1, "filter_wise=1"),
        ("nearswap", 2, 0, "t=0.01"), ("sce", 3, 0, ""), ("sce", 4, 1, "select_topk=0.3"), ("sce", 3, 1, "select_topk=0.3"), ("sce", 3, 2, "select_topk=0"),
        ("ram", 4, 0, ""), ("ram", 3, 1, "epsilon=0.02"), ("ramplus_tl", 4, 2, ""), ("ramplus_tl", 3, 0, "epsilon=0.01 r=0.5 alpha=0.75"),
        ("arcee_fusion", 2, 0, ""), ("arcee_fusion", 2, 1, ""),
    ];

    public static readonly long[][] Shapes = [[1], [7], [4095], [4097], [262143], [262145], [1, 1], [3, 5], [7, 4099], [65, 63], [5, 1], [130, 2017], [3, 4, 5]];

    /// <summary>The setup for tensors of a shape, with values from a seed.</summary>
    public static MethodRun Make(int setup, long[] dimensions, int seed)
    {
        var (name, count, baseIndex, text) = All[setup];
        var method = MethodTable.Find(name)!;
        var given = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => double.Parse(pair[1]));
        var values = ImmutableDictionary.CreateBuilder<string, double>();
        var perModel = ImmutableDictionary.CreateBuilder<string, ImmutableArray<double>>();
        foreach (var parameter in method.Parameters)
        {
            double value = given.TryGetValue(parameter.Name, out double own) ? own : parameter.Default ?? double.NaN;
            given.Remove(parameter.Name);
            if (!parameter.PerModel) values.Add(parameter.Name, value);
            else if (parameter.Name == "weight") perModel.Add("weight", [.. Enumerable.Range(0, count).Select(i => i == baseIndex ? double.NaN : Weights[i])]);
            else perModel.Add(parameter.Name, [.. Enumerable.Repeat(value, count)]);
        }
        Assert.Empty(given);
        var shape = new Shape(dimensions);
        var inputs = new TensorInputs
        {
            Name = "some.weight", Shape = shape, BaseIndex = baseIndex, Seed = seed,
            Models = [.. Enumerable.Range(10, count)], ModelNames = [.. Enumerable.Range(0, count).Select(i => $"model-{i}")],
            Values = values.ToImmutable(), PerModel = perModel.ToImmutable(),
        };
        return new MethodRun(method, inputs, Tensors(shape.Elements, count, seed));
    }

    static float[][] Tensors(long elements, int count, int seed)
    {
        var random = new Random(seed);
        var origin = new float[elements];
        for (int i = 0; i < origin.Length; i++) origin[i] = random.Next(-128, 129) / 64f;
        var tensors = new float[count][];
        for (int model = 0; model < count; model++)
        {
            tensors[model] = [.. origin];
            for (int i = 0; i < origin.Length; i++)
                if (random.Next(3) > 0) tensors[model][i] += random.Next(-64, 65) / 512f;
        }
        return tensors;
    }
}
