using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Configuration.Yaml;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall convert</c>: any checkpoint that Recall reads → safetensors. A merge of one model.</summary>
sealed class ConvertCommand : Verb
{
    readonly Argument<string> _model = Common.Model("IN");
    readonly Argument<string> _output = Common.Output();
    readonly Option<DType?> _dtype = new("--dtype")
    {
        Description = "Type of the weights that are written: float32, float16, bfloat16, ... "
            + "[default: as they are; float32 for quantised ones]",
        HelpName = "TYPE",
        CustomParser = ParseType,
    };

    readonly Option<string> _shardSize = MergeFlags.ShardSize();
    readonly Option<int?> _threads = Common.Threads();
    readonly Option<bool> _json = Common.Json();

    public ConvertCommand() : base(
        "convert",
        "Writes a model as a folder of safetensors. In goes whatever Recall reads, a bare .safetensors or .gguf file included; "
        + "BASE+ADAPTER comes out as one merged model.",
        "recall convert SmolLM2-135M-Instruct.Q4_1.gguf smollm2 --dtype bfloat16",
        "recall convert base+adapters/race race-merged")
    {
        Add(_model);
        Add(_output);
        Add(_dtype);
        Add(_shardSize);
        Add(_threads);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var reference = ModelReference.Parse(parse.GetRequiredValue(_model));
        var place = new Place(reference.ToString(), 0, 0, "");
        var config = new MergeConfig
        {
            File = reference.ToString(),
            Text = "",
            Method = "passthrough",
            MethodPlace = place,
            Models = [new ModelEntry(reference, ParameterSet.None, place)],
            OutDType = parse.GetValue(_dtype),
        };
        var plan = MergePlan.Make(config, new MergeOptions
        {
            Output = parse.GetRequiredValue(_output),
            ShardBytes = MergeFlags.ParseSize(parse.GetValue(_shardSize)!)!.Value,
            Threads = parse.GetValue(_threads) ?? Environment.ProcessorCount,
            WriteModelCard = false,
        });
        foreach (string note in plan.Notes) screen.Note($"note: {Shown.Text(note)}");
        if (plan.OutputConfig.Count == 0) screen.Note("note: a bare file of weights has no config.json, so neither has the output");
        MergeShow.Run(plan, screen, parse.GetValue(_json), cancellation);
        return ExitCode.Done;
    }

    static DType? ParseType(System.CommandLine.Parsing.ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (DTypes.FromTorchName(text) is { } type && type.IsFloat()) return type;
        var known = Enum.GetValues<DType>().Where(each => each.IsFloat()).Select(each => each.TorchName()).ToList();
        string? near = Quoted.Nearest(text, known);
        string hint = near is null ? $"; known: {string.Join(", ", known)}" : $"; did you mean '{near}'?";
        result.AddError($"--dtype {Quoted.Of(text)}: is no type of weights{hint}");
        return null;
    }
}
