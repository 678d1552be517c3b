using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Training;

namespace Recall.Cli.Commands;

/// <summary><c>recall train</c>: rows of prompts and answers in, an adapter or a checkpoint out.</summary>
sealed class TrainCommand : Verb
{
    readonly Argument<string> _config = new("CONFIG")
    {
        Description = "A training file: YAML with model, data, output, and what differs from the defaults",
    };

    readonly Option<bool> _json = Common.Json();

    public TrainCommand() : base(
        "train",
        "Tunes a model on prompts and answers. Writes a LoRA adapter as PEFT does, or with 'full: true' a whole checkpoint; the loss is taken over "
        + "the answers only. AdamW with warm-up, in float32; the same config, data and thread count give the same bytes.",
        "recall train adapter.yaml")
    {
        Add(_config);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var config = TrainConfig.Read(parse.GetRequiredValue(_config));
        long begin = screen.Time.GetTimestamp();
        TrainResult result;
        using (var progress = new ProgressLine(screen))
            result = TrainRun.Run(config, new Reporter(progress, screen.Time), note => screen.Note($"note: {Shown.Text(note)}"), screen.Time, cancellation);
        var time = screen.Time.GetElapsedTime(begin);
        var done = new Trained(
            result.Output, result.Rows, result.Steps.Length, result.TrainedWeights, result.Steps[0].Loss, result.Steps[^1].Loss,
            Math.Round(time.TotalSeconds, 3));
        if (parse.GetValue(_json))
        {
            screen.WriteJson(done);
            return ExitCode.Done;
        }
        screen.Out.WriteLine(
            $"{done.Output}: {Shown.Count(done.Steps)} steps over {Shown.Count(done.Rows)} rows, {Shown.Count(done.TrainedWeights)} trained weights, "
            + $"loss {Shown.Number(done.FirstLoss)} to {Shown.Number(done.LastLoss)}, {Shown.Duration(time)}");
        return ExitCode.Done;
    }

    /// <summary>What was trained, for scripts.</summary>
    sealed record Trained(string Output, int Rows, int Steps, long TrainedWeights, double FirstLoss, double LastLoss, double Seconds);

    sealed class Reporter(ProgressLine line, TimeProvider time) : IProgress<TrainProgress>
    {
        readonly long _begin = time.GetTimestamp();

        public void Report(TrainProgress value)
        {
            var left = time.GetElapsedTime(_begin) / value.Step * (value.Steps - value.Step);
            line.Report($"step {value.Step} of {value.Steps}, loss {Shown.Number(value.Loss)}, {value.TokensPerSecond:0} tokens/s, "
                + $"{Shown.Duration(left)} left");
        }
    }
}
