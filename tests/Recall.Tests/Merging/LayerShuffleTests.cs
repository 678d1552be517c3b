using System.Collections.Immutable;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Tests.Merging;

public sealed class LayerShuffleTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    string A => TinyModel.Write(_folder["a"], 1, layers: 40);

    string B => TinyModel.Write(_folder["b"], 2, layers: 40);

    static ImmutableArray<OutputSlice> Slices(LayerShuffle shuffle) => MergeConfig.Parse(shuffle.ToYaml(), "x").Slices;

    [Fact]
    public void EveryLayerStaysInItsPlaceAndComesFromOneOfTheModels()
    {
        var slices = Slices(new LayerShuffle([A, B], []) { Seed = 3 });
        int next = 0;
        string? before = null;
        foreach (var source in slices.Select(slice => slice.Sources.Single()))
        {
            Assert.Equal(next, source.Start);
            Assert.NotEqual(before, source.Model.ToString());      // runs of one model are one slice
            (next, before) = (source.End, source.Model.ToString());
        }
        Assert.Equal(40, next);
        Assert.True(slices.Length > 2);
        var plan = MergePlan.Make(MergeConfig.Parse(new LayerShuffle([A, B], []) { Seed = 3, Float16 = true }.ToYaml(), "x"), new MergeOptions { Output = _folder["out"] });
        Assert.Equal(40, plan.LayerCount);
        Assert.Equal(DType.F16, plan.Tensors[0].DType);
    }

    [Fact]
    public void TheSeedDecides()
    {
        var shuffle = new LayerShuffle([A, B], [0.5, 0.5]);
        Assert.Equal(shuffle.ToYaml(), shuffle.ToYaml());
        Assert.NotEqual(shuffle.ToYaml(), (shuffle with { Seed = 1 }).ToYaml());
    }

    [Fact]
    public void WeightsAreShares()
    {
        Assert.Equal(_folder["b"], Assert.Single(Slices(new LayerShuffle([A, B], [0, 2]))).Sources[0].Model.ToString());
        int fromA = 0;
        for (int seed = 0; seed < 50; seed++)
            fromA += Slices(new LayerShuffle([A, B], [3, 1]) { Seed = seed }).Select(slice => slice.Sources[0]).Where(source => source.Model.ToString() == _folder["a"]).Sum(source => source.End - source.Start);
        Assert.InRange(fromA / 2000.0, 0.70, 0.80);     // 3/4 ± 5 standard deviations of 2000 draws
    }

    [Fact]
    public void FullRandomTakesAShareOfEachModelsLayersInAnyOrder()
    {
        var sources = Slices(new LayerShuffle([A, B], [0.5, 0.26]) { FullRandom = true }).Select(slice => slice.Sources.Single()).ToList();
        Assert.Equal(20, sources.Count(source => source.Model.ToString() == _folder["a"]));
        Assert.Equal(10, sources.Count(source => source.Model.ToString() == _folder["b"]));
        Assert.All(sources, source => Assert.Equal(1, source.End - source.Start));
        Assert.NotEqual(sources.Select(source => source.Start).Order(), sources.Select(source => source.Start));
        Assert.Contains(sources, source => source.Start >= 30);
    }

    [Fact]
    public void WhatFitsNoModelIsRefused()
    {
        string shallow = TinyModel.Write(_folder["shallow"], 3);
        string Refused(LayerShuffle shuffle) => Assert.ThrowsAny<RecallException>(() => shuffle.ToYaml()).Message;
        Assert.Contains("name each by --model", Refused(new LayerShuffle([], [])));
        Assert.Contains("1 weights are given for 2 models", Refused(new LayerShuffle([A, B], [1])));
        Assert.Contains("0 weights are given for 2 models", Refused(new LayerShuffle([A, B], []) { FullRandom = true }));
        Assert.Contains("not all are 0", Refused(new LayerShuffle([A, B], [0, 0])));
        Assert.Contains("0 and more", Refused(new LayerShuffle([A, B], [1, -1])));
        Assert.Contains("0 and more", Refused(new LayerShuffle([A, B], [1, double.NaN])));
        Assert.Contains("mix only with --full-random", Refused(new LayerShuffle([A, shallow], [])));
        Assert.Contains("no layer at all", Refused(new LayerShuffle([A], [0.001]) { FullRandom = true }));
        Assert.Contains("more than 10000 layers", Refused(new LayerShuffle([A], [1e9]) { FullRandom = true }));
        Assert.Contains("no such model", Refused(new LayerShuffle([_folder["nowhere"]], [])));
    }

    public void Dispose() => _folder.Dispose();
}
