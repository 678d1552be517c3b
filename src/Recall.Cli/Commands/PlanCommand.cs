using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall plan</c>: what a merge would do and take, and all that is wrong with it, before a weight is read.</summary>
sealed class PlanCommand : Verb
{
    readonly Argument<string> _config = Common.Config();
    readonly Argument<string?> _output = new("OUT")
    {
        Description = "The folder that would be written: then it is checked too, and its disk is the one that is probed "
            + "[default: the current folder's disk]",
        Arity = ArgumentArity.ZeroOrOne,
    };

    readonly MergeFlags _flags = new();
    readonly Option<bool> _tensors = new("--tensors") { Description = "List every output tensor" };
    readonly Option<bool> _noProbe = new("--no-probe")
    {
        Description = "Leave the expected time out, and with it the probe of disk and arithmetic",
    };

    readonly Option<bool> _json = Common.Json();

    public PlanCommand() : base(
        "plan",
        "Shows what a merge would do. Every output tensor with its sources and parameters, the output's size, free disk, peak memory, "
        + "and the time, from a probe of two seconds. Whatever is wrong with the config or the models is found here.",
        "recall plan five-experts.yaml",
        "recall plan five-experts.yaml merged --tensors",
        "recall plan five-experts.yaml --json | jq .output_bytes")
    {
        Add(_config);
        Add(_output);
        Add(_tensors);
        Add(_noProbe);
        _flags.AddTo(this);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        string? output = parse.GetValue(_output);
        var (config, options) = (MergeConfig.Read(parse.GetRequiredValue(_config)), _flags.Read(parse, output ?? ".", screen));
        var plan = MergePlan.Make(config, options);
        if (plan.Alignment is not null) MergeRun.Plan(config, options);     // texts and cards are looked at, too
        if (output is not null) OutputFolder.Check(plan);
        using var weights = MergeWeights.Of(plan);
        var report = PlanReport.Of(plan, weights?.Candidates.Count, parse.GetValue(_noProbe) ? null : TimeEstimate.Of(plan, cancellation));
        if (parse.GetValue(_json)) screen.WriteJson(report);
        else Show(report, plan, parse.GetValue(_tensors), screen);
        return ExitCode.Done;
    }

    static void Show(PlanReport report, MergePlan plan, bool listTensors, Screen screen)
    {
        var facts = new Facts(screen);
        facts.Add("method", report.Combine is null ? report.MergeMethod : $"{report.MergeMethod}, combined by {report.Combine}");
        for (int i = 0; i < report.Models.Length; i++)
        {
            string name = report.Models[i];
            string role = (name == report.BaseModel ? " (base)" : "") + (name == report.ReferenceModel ? " (reference)" : "");
            facts.Add($"model {i + 1}", name + role);
        }
        string files = report.Shards.Count == 1 ? "one file" : $"{report.Shards.Count} files";
        facts.Add("output", $"{Shown.Count(report.Tensors.Count)} tensors in {Shown.Count(report.Layers)} layers, "
            + $"{Shown.Count(report.Parameters)} parameters, {Shown.Bytes(report.OutputBytes)} in {files}");
        if (report.Candidates is { } candidates) facts.Add("samples", $"{plan.Weighting!.Options.Count} of {Shown.Count(candidates)} texts");
        facts.Add("beside it", report.Files.Count == 0 ? "no tokenizer" : string.Join(", ", report.Files));
        facts.Add("free disk", Shown.Bytes(report.FreeDiskBytes) + (report.FreeDiskBytes < report.OutputBytes ? ": too little" : ""));
        facts.Add("peak memory", $"about {Shown.Bytes(report.PeakMemoryBytes)}");
        facts.Add("to read", Shown.Bytes(report.BytesToRead));
        if (report.Time is { } time)
        {
            string more = plan.Cost.ForwardParameters > 0 && time.Products is null ? " and the forward passes" : "";
            facts.Add("time", $"{Shown.Duration(TimeSpan.FromSeconds(time.Seconds))}{more} "
                + $"(reading {Shown.Bytes(time.ReadRate)}/s, writing {Shown.Bytes(time.WriteRate)}/s"
                + (time.Products is { } products ? $"; {Billions(products.Work.Forward + products.Work.Statistics + products.Work.Solving)} "
                    + $"multiplications: {Billions(products.Work.Forward)} of forward passes at {Billions(products.Rates.Forward)}/s, "
                    + $"{Billions(products.Work.Statistics)} in float32 at {Billions(products.Rates.Single)}/s, "
                    + $"{Billions(products.Work.Solving)} in double at {Billions(products.Rates.Double)}/s)" : ")"));
        }
        var groups = TensorGroup.Of(plan).ToList();
        var ways = groups.Select(group => group.Made).Distinct().ToList();
        for (int i = 0; i < ways.Count && !listTensors; i++) facts.Add(ways.Count == 1 ? "made of" : $"made of ({i + 1})", ways[i]);
        facts.Write();
        screen.Out.WriteLine();
        if (listTensors) ShowTensors(report, screen);
        else ShowGroups(groups, ways, screen);
        if (report.Notes.Count > 0) screen.Out.WriteLine();
        foreach (string note in report.Notes) screen.Out.WriteLine($"note: {Shown.Text(note)}");
    }

    static string Billions(double number) => $"{Shown.Count((long)Math.Round(number / 1e9))} G";

    static void ShowTensors(PlanReport report, Screen screen)
    {
        var table = new TextTable(screen, "tensor", "shape", "type", "file", ">offset", "models", "parameters");
        foreach (var tensor in report.Tensors)
        {
            var sources = tensor.Sources.Select(source =>
                $"{1 + report.Models.IndexOf(source.Model)}{(source.Tensor == tensor.Name ? "" : " " + source.Tensor)}");
            var values = tensor.Sources.SelectMany(source => source.Parameters).Concat(tensor.Parameters)
                .Where(value => value.Value is not null)
                .GroupBy(value => value.Key, value => Shown.Number(value.Value), StringComparer.Ordinal)
                .Select(values => $"{values.Key} {string.Join(' ', values)}");
            table.Row(
                tensor.Name, $"[{string.Join(", ", tensor.Shape)}]", tensor.DType, tensor.File, Shown.Count(tensor.Offset),
                string.Join(", ", sources), tensor.Copied ? "copied" : string.Join(", ", values));
        }
        table.Write(screen);
    }

    static void ShowGroups(List<TensorGroup> groups, List<string> ways, Screen screen)
    {
        bool alike = ways.Count == 1;
        string[] last = alike ? [] : [">made of"];
        var table = new TextTable(screen, ["tensors", ">number", "shape", "type", ">bytes", .. last]);
        foreach (var group in groups)
        {
            string[] way = alike ? [] : [$"({1 + ways.IndexOf(group.Made)})"];
            table.Row([group.Name, Shown.Count(group.Count), group.Shape, group.DType, Shown.Bytes(group.Bytes), .. way]);
        }
        table.Write(screen);
    }
}
