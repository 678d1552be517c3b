using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Planning;
using Recall.Representations;

namespace Recall.Cli.Commands;

/// <summary><c>recall select</c>: the typical samples of a config, to read, edit and use again.</summary>
sealed class SelectCommand : Verb
{
    readonly Argument<string> _config = Common.Config();
    readonly Option<string> _out = new("--out", "-o") { Description = "The JSONL file to write", HelpName = "FILE", Required = true };
    readonly Option<bool> _json = Common.Json();

    public SelectCommand() : base(
        "select",
        "Chooses the typical samples of a task. K-means over what the reference model's layers make of the config's texts; of each cluster the "
        + "text nearest to its centre. Written as JSONL with row number and cluster size; as 'samples' of a config the file is taken as it is.",
        "recall select five-experts.yaml --out samples.jsonl")
    {
        Add(_config);
        Add(_out);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var (_, opened) = LayerWeighted.Open(parse.GetRequiredValue(_config), new MergeOptions { Output = "." }, screen);
        using var weights = opened;
        IReadOnlyList<Sample> samples;
        using (var progress = new ProgressLine(screen))
        {
            progress.Report($"reading {Shown.Count(weights.Candidates.Count)} texts");
            samples = weights.Samples(cancellation);
        }
        string path = parse.GetRequiredValue(_out);
        SamplesFile.Write(path, samples);
        if (parse.GetValue(_json))
        {
            screen.WriteJson(samples.Select(sample => new Chosen(sample.Row, sample.ClusterSize, sample.Ids.Length, sample.Text)));
            return ExitCode.Done;
        }
        var table = new TextTable(screen, ">row", ">cluster size", ">tokens", "text");
        foreach (var sample in samples)
            table.Row(sample.Row.ToString(), sample.ClusterSize.ToString(), sample.Ids.Length.ToString(), Beginning(sample.Text, screen.Width - 40));
        table.Write(screen);
        screen.Out.WriteLine($"{path}: {Shown.Count(samples.Count)} of {Shown.Count(weights.Candidates.Count)} texts");
        return ExitCode.Done;
    }

    static string Beginning(string text, int length)
    {
        string line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= length ? line : line[..Math.Max(10, length - 1)] + "…";
    }

    /// <summary>A chosen text, for scripts.</summary>
    sealed record Chosen(int Row, int ClusterSize, int Tokens, string Text);
}
