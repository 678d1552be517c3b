using Recall.Configuration;
using Recall.Planning;

namespace Recall.Tests.Mergekit;

/// <summary>What mergekit's other programs wrote: mergekit-multi, mergekit-pytorch, mergekit-legacy.</summary>
public class GoldenProgramTests
{
    public static TheoryData<string> Cases(string program)
    {
        string root = Path.Combine(Fixtures.SharedRoot, "golden", "mergekit");
        if (!Directory.Exists(root)) return ["none"];
        return [.. Directory.GetDirectories(Path.Combine(root, "cases")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)
            .Where(name => new MergekitCase(root, name).Program == program)];
    }

    static MergekitCase Case(string name) => new(Fixtures.Shared("golden", "mergekit"), name);

    [Theory, MemberData(nameof(Cases), "mergekit-multi")]
    public void ChainsOfMergesAreThoseOfMergekit(string name)
    {
        var @case = Case(name);
        using var folder = new TemporaryFolder();
        var plan = MultiPlan.Make(MultiConfig.Parse(@case.ConfigText, "config.yaml"), @case.Options(folder["out"]), folder["parts"]);
        Assert.All(plan.Steps, step => Assert.False(Directory.Exists(step.Options.Output)));
        foreach (var step in plan.Steps)
        {
            var made = step.Plan();
            MergeRun.Run(made);
            // What was foreseen before the models were there is what came.
            Assert.Equal(made.Tensors.Select(tensor => (tensor.Name, tensor.Shape, tensor.DType, tensor.Offset)),
                step.Forecast!.Tensors.Select(tensor => (tensor.Name, tensor.Shape, tensor.DType, tensor.Offset)));
            Assert.Equal(made.OutputConfig.ToJsonString(), step.Forecast.OutputConfig.ToJsonString());
            @case.Compare(step.Options.Output, step.Name is null ? "expected" : $"expected-{step.Name}");
        }
        Assert.True(plan.Steps.Length > 1);
    }

    [Fact]
    public void ATokenizerMadeByOneDocumentIsThatOfTheNext()
    {
        var @case = Case("108-tokenizer-source-union");
        using var folder = new TemporaryFolder();
        string text = $"name: joined\n{@case.ConfigText}\n---\nmerge_method: passthrough\ntokenizer_source: base\nmodels: [{{model: joined}}]\n";
        var plan = MultiPlan.Make(MultiConfig.Parse(text, "config.yaml"), @case.Options(folder["out"]), folder["parts"]);
        foreach (var step in plan.Steps) MergeRun.Run(step.Plan());
        @case.Compare(folder["out"]);
        Assert.Equal(plan.Steps[1].Forecast!.OutputConfig.ToJsonString(), Recall.Checkpoints.Checkpoint.ReadConfig(folder["out", "config.json"]).ToJsonString());
    }

    [Theory, MemberData(nameof(Cases), "mergekit-pytorch")]
    public void MergesOfBareFilesAreThoseOfMergekit(string name)
    {
        var @case = Case(name);
        using var folder = new TemporaryFolder();
        var rule = @case.Flags.Contains("--tensor-intersection") ? PartialTensors.LeaveOut : @case.Flags.Contains("--tensor-union") ? PartialTensors.Merge : PartialTensors.Refuse;
        MergeRun.Run(MergeConfig.ParseRaw(@case.ConfigText, "config.yaml"), @case.Options(folder["out"]) with { Raw = rule });
        @case.Compare(folder["out", "model.safetensors"], Path.Combine("expected", "model.safetensors"));
        Assert.False(File.Exists(folder["out", "config.json"]));
    }

    [Theory, MemberData(nameof(Cases), "mergekit-legacy")]
    public void MergesByArgumentsAreThoseOfMergekit(string name)
    {
        var @case = Case(name);
        using var folder = new TemporaryFolder();
        var arguments = @case.Case["arguments"]!.AsArray().Select(argument => (string)argument!).Skip(1).Chunk(2).ToLookup(pair => pair[0], pair => pair[1]);
        Assert.Empty(arguments.Select(group => group.Key).Except(["--merge", "--base-model", "--density", "--weight"]));
        string Absolute(string model) => Path.Combine(Fixtures.Shared("golden", "mergekit"), model);
        var merge = new LegacyMerge
        {
            Models = [.. arguments["--merge"].Select(Absolute)],
            BaseModel = arguments["--base-model"].Select(Absolute).SingleOrDefault(),
            Densities = [.. arguments["--density"].Select(double.Parse)],
            Weights = [.. arguments["--weight"].Select(double.Parse)],
        };
        MergeRun.Run(MergeConfig.Parse(merge.ToYaml(), "legacy"), @case.Options(folder["out"]));
        @case.Compare(folder["out"]);
    }
}
