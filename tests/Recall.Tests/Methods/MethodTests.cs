using CsCheck;
using Recall.Methods;

namespace Recall.Tests.Methods;

/// <summary>Every method, streamed, against its formula computed at once in float64, and what must hold of all methods.</summary>
public class MethodTests
{
    public static TheoryData<int, string> Setups()
    {
        var data = new TheoryData<int, string>();
        for (int i = 0; i < MethodSetups.All.Length; i++) data.Add(i, $"{MethodSetups.All[i].Method} {MethodSetups.All[i].Parameters}");
        return data;
    }

    [Fact]
    public void EveryMethodIsTried() =>
        Assert.Empty(MethodTable.All.Select(method => method.Name).Except(MethodSetups.All.Select(setup => setup.Method)));

    [Theory, MemberData(nameof(Setups))]
    public void StreamedMergeIsTheFormula(int setup, string name)
    {
        Assert.NotEmpty(name);
        for (int shape = 0; shape < MethodSetups.Shapes.Length; shape++) AssertIsTheFormula(MethodSetups.Make(setup, MethodSetups.Shapes[shape], 100 + shape));
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 300], Gen.Int[0, int.MaxValue])
            .Sample((rows, columns, seed) => AssertIsTheFormula(MethodSetups.Make(setup, [rows, columns], seed)), iter: 10, threads: 1);
    }

    static void AssertIsTheFormula(MethodRun run)
    {
        Assert.Null(run.Method.Check(run.Inputs));
        double[] wanted = MethodReference.Merge(run);
        if (!wanted.All(value => Math.Abs(value) < 1e30))
        {
            Assert.Throws<RecallException>(() => run.Merge());   // one element and opposite models: a division by 0
            return;
        }
        AssertNear(wanted, run.Merge(2), $"{run.Method.Name} of {run.Inputs.Shape}");
    }

    static void AssertNear(double[] wanted, float[] got, string what)
    {
        double scale = Math.Sqrt(wanted.Sum(value => value * value) / wanted.Length);
        for (int i = 0; i < wanted.Length; i++)
            Assert.True(Math.Abs(wanted[i] - got[i]) <= 3e-6 * Math.Max(Math.Abs(wanted[i]), scale), $"{what}, element {i}: {got[i]:R}, not {wanted[i]:R}");
    }

    [Theory, MemberData(nameof(Setups))]
    public void AnyNumberOfThreadsGivesTheSameBytes(int setup, string name)
    {
        Assert.NotEmpty(name);
        var run = MethodSetups.Make(setup, [301, 2999], 5);
        float[] one = run.Merge(1);
        foreach (int threads in (int[])[2, 3, 8]) Assert.Equal(one, run.Merge(threads));
    }

    [Theory, MemberData(nameof(Setups))]
    public void OrderOfModelsChangesNothingButRounding(int setup, string name)
    {
        Assert.NotEmpty(name);
        if (MethodSetups.All[setup].Method == "karcher" && MethodSetups.All[setup].Parameters.Length > 0) return;   // stopped before it has converged
        Gen.Select(Gen.Int[0, int.MaxValue], Gen.Shuffle(Enumerable.Range(0, MethodSetups.All[setup].Models).ToArray())).Sample((seed, order) =>
        {
            var run = MethodSetups.Make(setup, [37, 211], seed);
            AssertNear([.. run.Merge().Select(value => (double)value)], run.Permuted(order).Merge(), name);
        }, iter: 5, threads: 1);
    }

    [Theory]
    [InlineData("linear"), InlineData("slerp"), InlineData("nuslerp"), InlineData("multislerp"), InlineData("karcher"), InlineData("ties"), InlineData("sce")]
    [InlineData("model_stock"), InlineData("nearswap"), InlineData("ram"), InlineData("ramplus_tl"), InlineData("arcee_fusion")]
    [InlineData("task_arithmetic"), InlineData("dare_linear"), InlineData("dare_ties"), InlineData("breadcrumbs"), InlineData("breadcrumbs_ties")]
    [InlineData("della"), InlineData("della_linear")]
    public void ModelMergedWithItselfIsTheModel(string method)
    {
        int[] setups = [.. Enumerable.Range(0, MethodSetups.All.Length).Where(i => MethodSetups.All[i].Method == method
            && MethodSetups.All[i].Parameters is not ("normalize=0" or "normalize_weights=0"))];
        Assert.NotEmpty(setups);
        foreach (int setup in setups)
        {
            var run = MethodSetups.Make(setup, [37, 211], 8);
            var same = run with { Values = [.. run.Values.Select(_ => run.Values[0])] };
            AssertNear([.. run.Values[0].Select(value => (double)value)], same.Merge(), method);
        }
    }

    [Theory, MemberData(nameof(Setups))]
    public void DamagedInputIsAnErrorThatNamesThePlace(int setup, string name)
    {
        Assert.NotEmpty(name);
        // The larger one is sampled first where ranks are looked for.
        foreach (var (value, shape) in ((float, long[])[])[(float.NaN, [41, 211]), (float.PositiveInfinity, [300, 300]), (float.NegativeInfinity, [41, 211])])
        {
            var run = MethodSetups.Make(setup, shape, 3);
            int model = run.Values.Length - 1;
            run.Values[model][5000] = value;
            var error = Assert.Throws<RecallException>(() => run.Merge(2));
            Assert.Contains($"model-{model}", error.Message, StringComparison.Ordinal);
            Assert.Contains("element 5000", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory, MemberData(nameof(Setups))]
    public void SubnormalsAndZerosOfBothSignsAreNumbers(int setup, string name)
    {
        Assert.NotEmpty(name);
        var run = MethodSetups.Make(setup, [41, 211], 3);
        foreach (float[] values in run.Values)
            for (int i = 0; i < values.Length; i += 3) values[i] = i % 2 == 0 ? -0f : float.Epsilon * (1 + i % 1000);
        AssertNear(MethodReference.Merge(run), run.Merge(), name);
    }

    [Fact]
    public void MethodsWithWeightsTakeThoseOfLayers()
    {
        foreach (var method in MethodTable.All)
        {
            int setup = Array.FindIndex(MethodSetups.All, each => each.Method == method.Name);
            var run = MethodSetups.Make(setup, [5, 7], 1);
            var weighted = method.WithLayerWeights(run.Inputs, [.. run.Values.Select((_, i) => 0.25 + i)]);
            bool hasWeights = method.Parameters.Any(parameter => parameter.Name == "weight") || method is Slerp;
            Assert.Equal(hasWeights, weighted is not null);
            if (weighted is not null) Assert.Equal(35, (run with { Inputs = weighted }).Merge().Length);
        }
    }

    [Fact]
    public void TensorsWithoutElementsMerge()
    {
        for (int setup = 0; setup < MethodSetups.All.Length; setup++) Assert.Empty(MethodSetups.Make(setup, [0, 16], 1).Merge());
    }
}
