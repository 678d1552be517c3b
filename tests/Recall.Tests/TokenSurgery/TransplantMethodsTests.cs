using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;
using Recall.Tests.Alignment;
using Recall.Tests.Mergekit;
using Recall.Tests.Merging;
using Recall.TokenSurgery;

namespace Recall.Tests.TokenSurgery;

/// <summary>landmark_pca, stb, mp_rope and --magikarp: no run of mergekit is at hand, so that they are held to what they are meant to do.</summary>
public sealed class TransplantMethodsTests : IDisposable
{
    const string Embedding = "model.embed_tokens.weight", Head = "lm_head.weight";

    readonly TemporaryFolder _folder = new();
    readonly Random _random = new(5);

    float[][] Random(int count, int width) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, width).Select(_ => (float)(_random.NextDouble() * 2 - 1)).ToArray())];

    /// <summary>A model of tokens of one letter, numbered from some letter on, with those rows in embedding and head.</summary>
    string Write(string name, float[][] rows, int firstLetter = 0, double theta = 10000, int? headDim = null, int spare = 0)
    {
        float[][] all = [.. rows, .. Enumerable.Range(0, spare).Select(_ => new float[rows[0].Length])];
        TinyModel.Write(_folder[name], 1, DType.F32, tensors =>
        {
            foreach (string matrix in new[] { Embedding, Head })
                tensors[matrix] = (new Shape(all.Length, rows[0].Length), [.. all.SelectMany(row => row)]);
        }, config =>
        {
            config["rope_theta"] = theta;
            if (headDim is not null) config["head_dim"] = headDim;
        }, hidden: rows[0].Length, vocabulary: all.Length, layers: 1);
        string vocabulary = string.Join(", ", rows.Select((_, i) => $"\"{(char)(0x4E00 + firstLetter + i)}\": {i}"));
        File.WriteAllText(_folder[name, "tokenizer.json"], $"{{\"added_tokens\": [], \"model\": {{\"type\": \"BPE\", \"vocab\": {{{vocabulary}}}, \"merges\": []}}}}");
        return _folder[name];
    }

    (float[][] Rows, string[] Notes) Run(string model, string donor, Approximation method, int k = 64, bool magikarp = false, int threads = 2, string output = "out")
    {
        var options = new SurgeryOptions { Model = ModelReference.Parse(model), Donor = ModelReference.Parse(donor), Method = method, K = k, Magikarp = magikarp };
        var plan = TokenSurgeonPlan.Make(options, new MergeOptions { Output = _folder[output], Threads = threads });
        var notes = plan.Prepare(cancellation: TestContext.Current.CancellationToken);
        MergeRun.Run(plan.Merge, cancellation: TestContext.Current.CancellationToken);
        var embedding = Checkpoint.Open(_folder[output]).Find(Embedding)!;
        float[][] rows = [.. MergekitCase.Values(embedding).Chunk((int)embedding.Shape[1])];
        Assert.Equal(rows.SelectMany(row => row), MergekitCase.Values(Checkpoint.Open(_folder[output]).Find(Head)!));
        return (rows, [.. notes]);
    }

    static void Close(IEnumerable<double> want, IEnumerable<float> have, double within = 2e-5) =>
        Assert.All(want.Zip(have), pair => Assert.Equal(pair.First, pair.Second, within));

    /// <summary>x → x A + t, A of any width.</summary>
    static double[] Image(float[] row, float[][] map, float[] shift) =>
        [.. shift.Select((start, column) => start + row.Select((value, i) => (double)value * map[i][column]).Sum())];

    /// <summary>A reflection is orthogonal: x − 2 v (v·x) / (v·v).</summary>
    static float[][] Reflection(float[] v)
    {
        double square = v.Sum(value => (double)value * value);
        return [.. v.Select((left, i) => v.Select((right, j) => (float)((i == j ? 1 : 0) - 2 * left * right / square)).ToArray())];
    }

    [Theory, InlineData(16, 16, true), InlineData(16, 16, false), InlineData(16, 24, false), InlineData(24, 16, false)]
    public void LandmarksFindTheMapBetweenTwoSpaces(int donorWidth, int width, bool orthogonal)
    {
        float[][] donor = Random(45, donorWidth);
        float[][] map = orthogonal ? Reflection(Random(1, width)[0]) : Random(donorWidth, width);
        float[] shift = Random(1, width)[0];
        float[][] own = [.. donor.Take(40).Select(row => Image(row, map, shift).Select(value => (float)value).ToArray())];
        var rows = Run(Write("base", own), Write("donor", donor), Approximation.LandmarkPca).Rows;
        for (int i = 0; i < donor.Length; i++) Close(Image(donor[i], map, shift), rows[i], 1e-4);
    }

    /// <summary>Where the shared rows depend on each other in no way, only one sum is right; its coefficients have sum 1, since stb goes by differences from the mean.</summary>
    [Theory, InlineData(Approximation.Omp), InlineData(Approximation.SparseTokenBasis), InlineData(Approximation.LandmarkPca)]
    public void ASumOfSharedTokensIsTheSameSumInTheBase(Approximation method)
    {
        float[][] donor = Random(10, 24), own = Random(10, 16);
        float[] sum = [.. donor[1].Select((value, i) => 1.5f * value - 0.75f * donor[3][i] + 0.25f * donor[8][i])];
        var rows = Run(Write("base", own), Write("donor", [.. donor, sum]), method).Rows;
        Close(own[1].Select((value, i) => 1.5 * value - 0.75 * own[3][i] + 0.25 * own[8][i]), rows[^1]);
        for (int i = 0; i < own.Length; i++) Assert.Equal(own[i], rows[i]);
    }

    /// <summary>Far fewer tokens than there are: of rows that spread along a few directions only, stb takes such as span them.</summary>
    [Fact]
    public void TheBasisSpansWhatTheSharedTokensSpan()
    {
        float[][] directions = Random(4, 16), baseDirections = Random(4, 24), coefficients = Random(60, 4);
        float[][] Of(float[][] span) => [.. coefficients.Select(row => Image(row, span, new float[span[0].Length]).Select(value => (float)value).ToArray())];
        float[][] donor = Of(directions), own = Of(baseDirections);
        var rows = Run(Write("base", own[..50]), Write("donor", donor), Approximation.SparseTokenBasis, k: 5).Rows;
        for (int i = 50; i < 60; i++) Close(own[i].Select(value => (double)value), rows[i]);
        var few = Run(_folder["base"], _folder["donor"], Approximation.SparseTokenBasis, k: 2, output: "few").Rows;
        Assert.Contains(Enumerable.Range(50, 10), i => own[i].Zip(few[i]).Any(pair => Math.Abs(pair.First - pair.Second) > 0.01));
    }

    /// <summary>Donor and base have heads of other sizes and another θ: the base's row is turned by the base's angles.</summary>
    [Theory, InlineData(1), InlineData(-2)]
    public void ATurnedRowIsTheBasesRowTurnedItsOwnWay(int position)
    {
        float[][] donor = Random(30, 16), own = Random(30, 24);
        float[] turned = [.. donor[7]];
        new RotaryPairs(8, new RopeOptions { Dim = 8 }.Frequencies(1)).Turn(turned, position);
        var rows = Run(Write("base", own, theta: 500, headDim: 4), Write("donor", [.. donor, turned]), Approximation.RopePursuit, k: 1).Rows;
        float[] want = [.. own[7]];
        new RotaryPairs(4, new RopeOptions { Dim = 4, Theta = 500 }.Frequencies(1)).Turn(want, position);
        Close(want.Select(value => (double)value), rows[^1]);
    }

    [Fact]
    public void EnoughTurnedRowsGiveTheDonorsOwnRow()
    {
        float[][] donor = Random(34, 16);
        var rows = Run(Write("base", donor[..30]), Write("donor", donor), Approximation.RopePursuit).Rows;
        for (int i = 30; i < 34; i++) Close(donor[i].Select(value => (double)value), rows[i], 1e-4);
    }

    [Fact]
    public void RotaryPairsTurnByDifferences()
    {
        var pairs = new RotaryPairs(6, new RopeOptions { Dim = 6 }.Frequencies(1));
        float[] x = Random(1, 20)[0], y = Random(1, 20)[0];
        double Product(int left, int right)
        {
            float[] a = [.. x[..18]], b = [.. y[..18]];
            pairs.Turn(a, left);
            pairs.Turn(b, right);
            return a.Zip(b, (first, second) => (double)first * second).Sum();
        }
        Assert.Equal(Product(3, 1), Product(2, 0), 1e-5);
        Assert.NotEqual(Product(3, 1), Product(3, 0), 1e-3);
        float[] turned = [.. x];
        pairs.Turn(turned, 2);
        Assert.Equal(x[18..], turned[18..]);
        Assert.Equal(x[0] * Math.Cos(2) - x[3] * Math.Sin(2), turned[0], 1e-6);
        pairs.Turn(turned, -2);
        Close(x.Select(value => (double)value), turned, 1e-6);
    }

    [Theory, InlineData(Approximation.LandmarkPca), InlineData(Approximation.SparseTokenBasis), InlineData(Approximation.RopePursuit)]
    public void TheSameBytesOnAnyNumberOfThreads(Approximation method)
    {
        Write("base", Random(30, 16));
        Write("donor", Random(70, 24));
        Run(_folder["base"], _folder["donor"], method, k: 8, threads: 1, output: "one");
        Run(_folder["base"], _folder["donor"], method, k: 8, threads: 4, output: "four");
        Assert.Equal(TinyModel.Bytes(_folder["one"]), TinyModel.Bytes(_folder["four"]));
    }

    /// <summary>Planted: rows near zero, near the mean of all, and near the rows without a token.</summary>
    [Fact]
    public void HardlyTrainedRowsAreFound()
    {
        const int Width = 32, Healthy = 60;
        float[] mean = Random(1, Width)[0], elsewhere = [.. Random(1, Width)[0].Select(value => value * 8)];
        float[] Near(float[] point) => [.. Random(1, Width)[0].Select((noise, i) => point[i] + 0.02f * noise)];
        float[][] rows =
        [
            .. Random(Healthy, Width).Select(row => row.Select((value, i) => mean[i] * 3 + value).ToArray()),
            Near(new float[Width]), Near([.. mean.Select(value => value * 3)]), Near(elsewhere), Near(elsewhere), Near(elsewhere),
        ];
        // The mean of all rows is drawn by the planted ones, a little.
        var tensor = new MemoryTensor("embedding", new Shape(rows.Length, Width), [.. rows.SelectMany(row => row)]);
        bool[] near = UndertrainedRows.Of(tensor, row => row < Healthy + 3, TestContext.Current.CancellationToken);
        Assert.DoesNotContain(true, near[..Healthy]);
        Assert.All(near[Healthy..], Assert.True);
    }

    [Fact]
    public void NoRowIsMadeOfHardlyTrainedTokens()
    {
        float[][] donor = Random(24, 16), own = Random(20, 16);
        own[4] = new float[16];
        donor[20] = [.. donor[4]];
        Write("base", own);
        Write("donor", donor);
        Assert.Equal(own[4], Run(_folder["base"], _folder["donor"], Approximation.CommonInterpolation, k: 1).Rows[20]);
        var (rows, notes) = Run(_folder["base"], _folder["donor"], Approximation.CommonInterpolation, k: 1, magikarp: true, output: "healthy");
        Assert.Contains(rows[20], value => value != 0);
        Assert.Equal(own[4], rows[4]);
        Assert.Equal([$"{Embedding}: 1 of 20 shared tokens look hardly trained; no row is made of them", $"{Head}: 1 of 20 shared tokens look hardly trained; no row is made of them"], notes);
    }

    [Fact]
    public void WhatCannotBeDoneIsSaid()
    {
        float[][] own = Random(20, 16);
        own[19] = new float[16];
        Write("base", own);
        // Shared is the last letter alone, whose row is zero.
        Write("donor", Random(10, 16), firstLetter: 19);
        Assert.Contains("all 1 tokens that the models share look hardly trained",
            Assert.Throws<RecallException>(() => Run(_folder["base"], _folder["donor"], Approximation.Omp, magikarp: true)).Message);
        Write("odd", own, headDim: 7);
        var error = Assert.Throws<RecallException>(() => Run(_folder["odd"], _folder["donor"], Approximation.RopePursuit, output: "never"));
        Assert.Contains("mp_rope needs the rotary positions of both models; -a omp does without", error.Message);
        Assert.Contains("head_dim", error.Message);
        Assert.False(Directory.Exists(_folder["never"]));
    }

    [Theory, InlineData(float.NaN), InlineData(float.PositiveInfinity), InlineData(float.MaxValue)]
    public void RowsThatCannotBeComparedAreRefused(float value)
    {
        float[][] donor = Random(12, 16);
        float[][] own = [.. donor.Take(10)];
        Write("base", own);
        donor[3] = [.. donor[3].Select(_ => value)];
        string message = Assert.Throws<RecallException>(() => Run(_folder["base"], Write("donor", donor), Approximation.Omp)).Message;
        Assert.Contains(float.IsFinite(value) ? "too large for products in float32" : $"{Embedding} of the donor holds NaN or infinities",
            message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();
}
