using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Planning;
using Recall.Tests.Mergekit;
using Recall.TokenSurgery;

namespace Recall.Tests.TokenSurgery;

public class TokenSurgeonTests
{
    const string Embedding = "model.embed_tokens.weight", Head = "lm_head.weight";

    /// <summary>Ids of tokens that only the donor has: st, ed, Ġw, &lt;pad&gt;, foo bar.</summary>
    static readonly int[] New = [26, 27, 28, 29, 30];

    static string Root => MergekitCases.Root;

    static SurgeryOptions Options => new() { Model = Model("tok-base"), Donor = Model("tok-other") };

    static ModelReference Model(string name) => ModelReference.Parse(Path.Combine(Root, "inputs", name));

    static void Run(SurgeryOptions options, string output, long seed = 0)
    {
        var plan = TokenSurgeonPlan.Make(options, new MergeOptions { Output = output, Threads = 2, Seed = seed });
        plan.Prepare(cancellation: TestContext.Current.CancellationToken);
        MergeRun.Run(plan.Merge, cancellation: TestContext.Current.CancellationToken);
    }

    static float[][] Rows(string folder, string name)
    {
        var tensor = Checkpoint.Open(folder).Find(name)!;
        return [.. MergekitCase.Values(tensor).Chunk((int)tensor.Shape[1])];
    }

    static string Base => Path.Combine(Root, "inputs", "tok-base");

    [Theory, InlineData("135-tokensurgeon-subword", Approximation.Subword), InlineData("136-tokensurgeon-omp", Approximation.Omp)]
    public void ModelsAreThoseOfMergekit(string name, Approximation method)
    {
        var @case = MergekitCases.Get(name);
        using var folder = new TemporaryFolder();
        Run(Options with { Method = method, K = 4 }, folder["out"]);
        @case.Compare(folder["out"]);
        @case.CheckTokenizer(folder["out"]);
        var config = Checkpoint.ReadConfig(folder["out", "config.json"]);
        Assert.Equal((31, 1, 2), ((int)config["vocab_size"]!, (int)config["bos_token_id"]!, (int)config["eos_token_id"]!));
    }

    /// <summary>A donor that is the base itself needs no new rows; tensors and tokenizer stay.</summary>
    [Theory, InlineData(Approximation.Omp), InlineData(Approximation.Zero)]
    public void TheOwnVocabularyChangesNothing(Approximation method)
    {
        using var folder = new TemporaryFolder();
        Run(Options with { Donor = Model("tok-base"), Method = method }, folder["out"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Base, "tokenizer.json")), File.ReadAllBytes(folder["out", "tokenizer.json"]));
        foreach (var tensor in Checkpoint.Open(Base).Tensors)
            Assert.Equal(MergekitCase.Values(tensor), MergekitCase.Values(Checkpoint.Open(folder["out"]).Find(tensor.Name)!));
    }

    [Fact]
    public void PlainMethodsGiveWhatTheirNamesSay()
    {
        using var folder = new TemporaryFolder();
        var rows = Rows(Base, Head);
        Run(Options with { Method = Approximation.Zero }, folder["zero"]);
        Run(Options with { Method = Approximation.Mean, NewVocabScale = 2 }, folder["mean"]);
        Run(Options with { Method = Approximation.Randn }, folder["randn"]);
        Run(Options with { Method = Approximation.Randn }, folder["same"]);
        Run(Options with { Method = Approximation.Randn }, folder["other"], seed: 1);
        foreach (int id in New)
        {
            Assert.All(Rows(folder["zero"], Head)[id], value => Assert.Equal(0, value));
            Assert.All(Rows(folder["mean"], Head)[id].Index(), item => Assert.Equal(2 * rows.Average(row => (double)row[item.Index]), item.Item, 1e-6));
            Assert.Equal(Rows(folder["randn"], Head)[id], Rows(folder["same"], Head)[id]);
            Assert.NotEqual(Rows(folder["randn"], Head)[id], Rows(folder["other"], Head)[id]);
        }
        // 80 normal numbers: their root mean square is within half of the deviation, far beyond five of its own.
        double wanted = Rms(rows.SelectMany(row => row)), got = Rms(New.SelectMany(id => Rows(folder["randn"], Head)[id]));
        Assert.InRange(got, wanted / 2, wanted * 1.5);
        static double Rms(IEnumerable<float> values) => Math.Sqrt(values.Average(value => (double)value * value));
    }

    /// <summary>√1e-5 of the spread of the rows around their mean.</summary>
    [Fact]
    public void RowsOfTheirOwnDistributionAreNearTheMean()
    {
        using var folder = new TemporaryFolder();
        Run(Options with { Method = Approximation.JohnHewitt }, folder["out"]);
        Run(Options with { Method = Approximation.JohnHewitt }, folder["same"]);
        var own = Rows(Base, Embedding);
        double[] mean = [.. Enumerable.Range(0, own[0].Length).Select(i => own.Average(row => (double)row[i]))];
        double spread = Math.Sqrt(own.Sum(row => Square(row, mean)) / (own.Length - 1) * 1e-5);
        double got = Math.Sqrt(New.Average(id => Square(Rows(folder["out"], Embedding)[id], mean)));
        Assert.InRange(got, spread / 2, spread * 2);
        Assert.Equal(New.Select(id => Rows(folder["out"], Embedding)[id]), New.Select(id => Rows(folder["same"], Embedding)[id]));
        Assert.Equal(New.Length, New.Select(id => Rows(folder["out"], Embedding)[id][0]).Distinct().Count());
        static double Square(float[] row, double[] from) => row.Zip(from, (x, y) => (x - y) * (x - y)).Sum();
    }

    [Fact]
    public void NeighboursWeighByTheirScheme()
    {
        using var folder = new TemporaryFolder();
        var (own, donor) = (Rows(Base, Embedding), Rows(Path.Combine(Root, "inputs", "tok-other"), Embedding));
        // One neighbour: its row, whatever the scheme of sum 1; by distance or angle as a search over all shared tokens finds it.
        var shared = Enumerable.Range(0, donor.Length).Except(New).ToList();
        foreach (bool cosine in new[] { false, true })
        {
            foreach (var scheme in new[] { WeightScheme.DistanceProportional, WeightScheme.Barycentric })
            {
                string output = folder[$"{cosine}-{scheme}"];
                Run(Options with { Method = Approximation.CommonInterpolation, K = 1, Cosine = cosine, Weights = scheme }, output);
                foreach (int id in New)
                {
                    int nearest = shared.MinBy(other => cosine ? -Dot(donor[id], donor[other]) / Math.Sqrt(Dot(donor[other], donor[other])) : Distance(donor[id], donor[other]));
                    Assert.Equal(Rows(output, Embedding)[nearest], Rows(output, Embedding)[id]);
                }
            }
        }
        Run(Options with { Method = Approximation.CommonInterpolation, K = 3, Weights = WeightScheme.DistanceProportional }, folder["three"]);
        foreach (int id in New)
        {
            var three = shared.OrderBy(other => Distance(donor[id], donor[other])).Take(3).Select(other => (Row: Rows(folder["three"], Embedding)[other], Weight: 1 / Distance(donor[id], donor[other]))).ToList();
            double sum = three.Sum(item => item.Weight);
            for (int i = 0; i < own[0].Length; i++)
                Assert.Equal(three.Sum(item => item.Weight / sum * item.Row[i]), Rows(folder["three"], Embedding)[id][i], 1e-5);
        }
        static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();
        static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b, (x, y) => ((double)x - y) * (x - y)).Sum());
    }

    /// <summary>Where both models have the same matrices, a sum that meets the donor's row exactly gives it.</summary>
    [Theory]
    [InlineData(Approximation.Omp, WeightScheme.DistanceProportional)]
    [InlineData(Approximation.CommonInterpolation, WeightScheme.LeastSquares)]
    [InlineData(Approximation.CommonInterpolation, WeightScheme.Barycentric)]
    public void EnoughSharedTokensGiveTheDonorsOwnRow(Approximation method, WeightScheme scheme)
    {
        using var folder = new TemporaryFolder();
        Run(Options with { Method = Approximation.Randn }, folder["first"]);
        // The result becomes the donor: its rows of shared tokens are the base's own.
        var first = Rows(folder["first"], Embedding);
        Run(Options with { Donor = ModelReference.Parse(folder["first"]), Method = method, Weights = scheme, K = 24 }, folder["out"]);
        foreach (int id in New)
            Assert.All(first[id].Zip(Rows(folder["out"], Embedding)[id]), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Fact]
    public void PrefixesCountWhereTheyAreAskedFor()
    {
        using var folder = new TemporaryFolder();
        Run(Options with { Method = Approximation.Zero, PrefixMatch = MatchScope.Head }, folder["out"]);
        // st begins with s (10 in the base), ed with e (4), Ġw with Ġ (3), foo bar with f (19); <pad> is a role and no text.
        foreach (var (id, row) in new[] { (26, 10), (27, 4), (28, 3), (30, 19) })
        {
            Assert.Equal(Rows(Base, Head)[row], Rows(folder["out"], Head)[id]);
            Assert.All(Rows(folder["out"], Embedding)[id], value => Assert.Equal(0, value));
        }
    }

    [Theory, InlineData(SubwordMethod.Sum), InlineData(SubwordMethod.FirstLast), InlineData(SubwordMethod.WeightedMean)]
    public void PartsAreTakenTogetherAsAsked(SubwordMethod method)
    {
        using var folder = new TemporaryFolder();
        Run(Options with { Method = Approximation.Subword, Subword = method }, folder["out"]);
        foreach (string name in new[] { Embedding, Head })
        {
            var (s, t) = (Rows(Base, name)[10], Rows(Base, name)[5]);
            var got = Rows(folder["out"], name)[26];
            for (int i = 0; i < got.Length; i++)
            {
                double wanted = method switch
                {
                    SubwordMethod.Sum => s[i] + t[i],
                    SubwordMethod.WeightedMean => (s[i] + t[i]) / 2,
                    _ => name == Head ? s[i] : t[i],
                };
                Assert.Equal(wanted, got[i], 1e-6);
            }
        }
    }

    [Theory, InlineData("<0x41>", "A"), InlineData("A", "<0x41>"), InlineData("\0bytes C3", "<0xC3>"), InlineData("<0xC3>", "\0bytes C3"), InlineData("AB", null), InlineData("é", null)]
    public void BytesHaveTwoNames(string key, string? other) => Assert.Equal(other, TokenKeys.OtherByte(key));

    [Fact]
    public void WhatCannotBeDoneIsRefusedBeforeAnythingIsWritten()
    {
        using var folder = new TemporaryFolder();
        var run = new MergeOptions { Output = folder["out"] };
        Assert.Contains("has no tokenizer.json", Assert.Throws<RecallException>(() => TokenSurgeonPlan.Make(Options with { Donor = Model("mini-a") }, run)).Message);
        Assert.Contains("--k 0", Assert.Throws<ConfigurationException>(() => TokenSurgeonPlan.Make(Options with { K = 0 }, run)).Message);
        Assert.Contains("finite", Assert.Throws<ConfigurationException>(() => TokenSurgeonPlan.Make(Options with { NewVocabScale = double.NaN }, run)).Message);
        Assert.Contains("no such model", Assert.Throws<RecallException>(() => TokenSurgeonPlan.Make(Options with { Donor = Model("nowhere") }, run)).Message);
        Assert.False(Directory.Exists(folder["out"]));
    }
}
