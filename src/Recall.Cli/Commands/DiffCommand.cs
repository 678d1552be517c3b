using System.CommandLine;
using Recall.Checkpoints;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall diff</c>: how far two models are apart.</summary>
sealed class DiffCommand : Verb
{
    readonly Argument<string> _a = Common.Model("A"), _b = Common.Model("B");
    readonly Option<double> _tolerance = new("--tolerance")
    {
        Description = "Largest difference of two values that is still taken as equal",
        DefaultValueFactory = _ => 0,
    };

    readonly Option<bool> _tensors = new("--tensors") { Description = "List every tensor, not the layers alone" };
    readonly Option<int?> _threads = Common.Threads();
    readonly Option<bool> _json = Common.Json();

    public DiffCommand() : base(
        "diff",
        "Compares two models value by value. Largest difference, difference relative to A, and cosine, per layer and per tensor. "
        + "Returns 1 when they differ by more than the tolerance, or in names or shapes; types may differ.",
        "recall diff merged-before merged --tolerance 1e-3",
        "recall diff base expert --tensors",
        "recall diff base base+adapters/race --json | jq .all")
    {
        Add(_a);
        Add(_b);
        Add(_tolerance);
        Add(_tensors);
        Add(_threads);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        double tolerance = parse.GetValue(_tolerance);
        if (!(tolerance >= 0)) throw new ConfigurationException($"--tolerance {tolerance}: must be 0 or more");
        var a = OpenedModel.Open(ModelReference.Parse(parse.GetRequiredValue(_a)));
        var b = OpenedModel.Open(ModelReference.Parse(parse.GetRequiredValue(_b)));
        long total = CheckpointDifference.BytesToRead(a.Checkpoint, b.Checkpoint), done = 0;
        int threads = parse.GetValue(_threads) ?? Environment.ProcessorCount;
        CheckpointDifference difference;
        using (var progress = new ProgressLine(screen))
        {
            void Compared(long bytes) => progress.Report("comparing", Interlocked.Add(ref done, bytes), total);
            difference = CheckpointDifference.Between(a.Checkpoint, b.Checkpoint, threads, Compared, cancellation);
        }
        var report = DiffReport.Of(a, b, tolerance, difference);
        if (parse.GetValue(_json)) screen.WriteJson(report);
        else Show(report, parse.GetValue(_tensors), screen);
        return report.Within ? ExitCode.Done : ExitCode.Failed;
    }

    static void Show(DiffReport report, bool listTensors, Screen screen)
    {
        if (listTensors)
        {
            var tensors = new TextTable(screen, "tensor", "types", ">max abs", ">relative", ">cosine");
            foreach (var tensor in report.Tensors) Row(tensors, tensor.Difference, tensor.Name, Types(tensor.DTypeA, tensor.DTypeB));
            tensors.Write(screen);
        }
        else
        {
            var layers = new TextTable(screen, "layer", ">tensors", ">max abs", ">relative", ">cosine");
            foreach (var layer in report.Layers)
                Row(layers, layer.Difference, layer.Layer?.ToString() ?? "outside", Shown.Count(layer.Tensors));
            Row(layers, report.All, "all", Shown.Count(report.Tensors.Count));
            layers.Write(screen);
        }
        screen.Out.WriteLine();
        foreach (var (name, a, b) in report.Shapes)
            screen.Out.WriteLine($"{Shown.Text(name)}: shape [{string.Join(", ", a)}] in A, [{string.Join(", ", b)}] in B");
        foreach (string name in report.OnlyInA) screen.Out.WriteLine($"{Shown.Text(name)}: only in A");
        foreach (string name in report.OnlyInB) screen.Out.WriteLine($"{Shown.Text(name)}: only in B");
        int types = report.Tensors.Count(tensor => tensor.DTypeA != tensor.DTypeB);
        if (types > 0) screen.Out.WriteLine($"{types} of {report.Tensors.Count} tensors are kept in different types");
        screen.Out.WriteLine(Verdict(report));
    }

    static void Row(TextTable table, DiffNumbers difference, params string[] names)
    {
        string largest = difference.NotComparable == 0
            ? Shown.Number(difference.MaxAbs)
            : $"{Shown.Count(difference.NotComparable)} NaN or infinite";
        table.Row([.. names, largest, Shown.Number(difference.Relative), difference.Cosine is { } cosine ? Cosine(cosine) : "–"]);
    }

    /// <summary>Near 1, where cosines of models lie, four digits would all be nines: what is missing to 1 is told instead.</summary>
    static string Cosine(double cosine) => cosine is 1 or < 0.999 ? Shown.Number(cosine) : $"1 - {Shown.Number(1 - cosine)}";

    static string Types(string a, string b) => a == b ? a : $"{a} / {b}";

    static string Verdict(DiffReport report)
    {
        if (report.Within) return report.Differing == 0 ? "equal" : $"equal within {Shown.Number(report.Tolerance)}: {Differing(report)}";
        var why = new List<string>();
        if (report.OnlyInA.Count + report.OnlyInB.Count > 0) why.Add("in names");
        if (report.Shapes.Count > 0) why.Add("in shapes");
        if (report.All.NotComparable > 0 || report.All.MaxAbs > report.Tolerance) why.Add($"in values ({Differing(report)})");
        return $"different: {string.Join(", ", why)}";
    }

    static string Differing(DiffReport report) =>
        $"{report.Differing} of {report.Tensors.Count} tensors differ, by {Shown.Number(report.All.MaxAbs)} at most";
}
