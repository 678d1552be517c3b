using System.Collections.Immutable;
using Recall.Cli.Commands;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Representations;

namespace Recall.Cli.Tests.Commands;

public class WeightsTableTests
{
    static readonly ImmutableArray<ModelWeights> Layers =
    [
        new(0, 12.25, [0.5, 0.75, 1], [0.2, 0.3, 0.5]),
        new(1, 0.0625, [0.9, 0.9, 1], [0.33, 0.33, 0.34]),
    ];

    [Theory]
    [InlineData("weights-bars.txt", "base+adapters/sst2", "experts/squad/", "base+adapters/race")]
    [InlineData("weights-bars-long-names.txt", "one/model", "two/model", "three/model")]
    public void EachLayerHasABarForEachModel(string expected, params string[] models)
    {
        using var text = new StringWriter();
        WeightsTable.Write(new WeightsFile([.. models], models[2], [], Layers, new RecallOptions()), new Screen(text, TextWriter.Null));
        Expected.Match(expected, text.ToString());
    }

    [Fact]
    public void WithoutABandwidthThereIsNoSuchColumn()
    {
        using var text = new StringWriter();
        var layers = Layers.Select(layer => layer with { Bandwidth = null });
        WeightsTable.Write(new WeightsFile(["a", "b", "c"], "c", [], [.. layers], new RecallOptions { Similarity = SimilarityKind.Cka }), new Screen(text, TextWriter.Null));
        Assert.DoesNotContain("bandwidth", text.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "    ")]
    [InlineData(0.5, "██  ")]
    [InlineData(0.53125, "██▏ ")]
    [InlineData(1, "████")]
    [InlineData(2, "████")]
    public void BarsAreAsLongAsTheirShare(double value, string bar) => Assert.Equal(bar, Bar.Of(value, 1, 4));
}
