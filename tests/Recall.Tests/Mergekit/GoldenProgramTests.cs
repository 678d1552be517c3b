using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Tests.Mergekit;

/// <summary>What mergekit's other programs wrote: mergekit-multi, mergekit-pytorch, mergekit-legacy, mergekit-moe.</summary>
public class GoldenProgramTests
{
    public static TheoryData<string> Cases(string program) =>
        [.. MergekitCases.Read().Where(each => each.Case.Program == program).Select(each => each.Name).DefaultIfEmpty("none")];

    static MergekitCase Case(string name) => MergekitCases.Get(name);

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
        Assert.Equal(plan.Steps[1].Forecast!.OutputConfig.ToJsonString(), Checkpoint.ReadConfig(folder["out", "config.json"]).ToJsonString());
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
        string Absolute(string model) => Path.Combine(MergekitCases.Root, model);
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

    /// <summary>Keys that make the output a mixture; all others are the base model's.</summary>
    static readonly string[] MixtureKeys =
    [
        "architectures", "model_type", "num_local_experts", "num_experts", "num_experts_per_tok", "moe_intermediate_size", "intermediate_size",
        "shared_expert_intermediate_size", "norm_topk_prob", "decoder_sparse_step", "mlp_only_layers", "sliding_window", "vocab_size", "qkv_bias",
    ];

    [Theory, MemberData(nameof(Cases), "mergekit-moe")]
    public void MixturesOfExpertsAreThoseOfMergekit(string name)
    {
        var @case = Case(name);
        using var folder = new TemporaryFolder();
        MergePlan Plan() => MoeMerge.Plan(MoeConfig.Parse(@case.ConfigText, "config.yaml"), @case.Options(folder["out"]));
        if (@case.IsError)
        {
            CaseOutcome.Refused();
            Assert.StartsWith("config.yaml:3:5 experts[0]: the expert has no positive_prompts", Assert.Throws<ConfigurationException>(Plan).Message);
            return;
        }
        var plan = Plan();
        Assert.False(Directory.Exists(folder["out"]));
        MergeRun.Run(plan);
        bool ownGates = @case.Case["special"]?["gate"] is not null;
        @case.Compare(folder["out"], apart: tensor => ownGates && tensor.EndsWith(".mlp.gate.weight", StringComparison.Ordinal));
        if (ownGates) CompareGates(@case, folder["out"], drawn: name.Contains("random"));

        var (wanted, found) = (Checkpoint.ReadConfig(Path.Combine(@case.Folder, "expected", "config.json")), Checkpoint.ReadConfig(folder["out", "config.json"]));
        foreach (string key in MixtureKeys) Assert.Equal((key, wanted[key]?.ToJsonString()), (key, found[key]?.ToJsonString()));
        Assert.Equal(@case.ConfigText, File.ReadAllText(folder["out", "mergekit_moe_config.yml"]));
        Assert.True(File.Exists(folder["out", "tokenizer.json"]));
    }

    /// <summary>mergekit computes them in bfloat16, or draws them.</summary>
    static void CompareGates(MergekitCase @case, string output, bool drawn)
    {
        var (wanted, found) = (Checkpoint.Open(Path.Combine(@case.Folder, "expected")), Checkpoint.Open(output));
        var gates = found.Tensors.Where(tensor => tensor.Name.EndsWith(".mlp.gate.weight", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, gates.Count);
        if (drawn)
        {
            var values = gates.SelectMany(MergekitCase.Values).Select(value => (double)value).ToList();
            double mean = values.Average(), variance = values.Average(value => (value - mean) * (value - mean));
            Assert.InRange(mean, -5 / Math.Sqrt(values.Count), 5 / Math.Sqrt(values.Count));
            Assert.InRange(variance, 1 - 4 * Math.Sqrt(2.0 / values.Count), 1 + 5 * Math.Sqrt(2.0 / values.Count));
            return;
        }
        foreach (var gate in gates)
        {
            int width = (int)gate.Shape[1];
            foreach (var (have, want) in MergekitCase.Values(gate).Chunk(width).Zip(MergekitCase.Values(wanted.Find(gate.Name)!).Chunk(width)))
            {
                double Product(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();
                Assert.InRange(Product(have, want) / Math.Sqrt(Product(have, have) * Product(want, want)), 0.999, 1.0000001);
                Assert.Equal(1, Product(have, have), 1e-6);
            }
        }
    }
}
