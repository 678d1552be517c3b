using Recall.Cli.Terminal;
using Recall.Representations;

namespace Recall.Cli.Commands;

/// <summary>Layer weights before a person's eyes: a row a layer, a bar a model.</summary>
static class WeightsTable
{
    public static void Write(WeightsFile weights, Screen screen)
    {
        bool bandwidths = weights.Layers.Any(layer => layer.Bandwidth is not null);
        string[] second = bandwidths ? [">bandwidth"] : [];
        var table = new TextTable(screen, [">layer", .. second, .. Headings(weights)]);
        double largest = weights.Layers.Max(layer => layer.Weights.Max());
        int width = Math.Clamp((screen.Width - 26) / weights.Models.Length - 9, 4, 20);
        foreach (var layer in weights.Layers)
        {
            string[] bandwidth = bandwidths ? [Shown.Number(layer.Bandwidth)] : [];
            var bars = layer.Weights.Select(weight => $"{weight:0.000} {Bar.Of(weight, largest, width)}");
            table.Row([layer.Layer == 0 ? "embedding" : layer.Layer.ToString(), .. bandwidth, .. bars]);
        }
        table.Write(screen);
    }

    /// <summary>The models' short names; the reference is marked.</summary>
    static IEnumerable<string> Headings(WeightsFile weights) =>
        Shown.Models(weights.Models).Select((name, i) => name + (weights.Models[i] == weights.Reference ? " *" : ""));
}
