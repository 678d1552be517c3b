using System.Text.Json.Nodes;
using Recall.Alignment;
using Recall.Checkpoints;
using static TorchSharp.torch;

namespace Recall.Tests.Alignment;

/// <summary>RegMean and RegMean++ against golden/methods.</summary>
public sealed class RegMeanTests
{
    static readonly string[] Models = ["a", "b", "c"];

    static string Input(params string[] parts) => Fixtures.Shared(["golden", "methods", "inputs", .. parts]);

    static Checkpoint Mini(string model) => Checkpoint.Open(Input("mini", model));

    [Theory]
    [InlineData("069-regmean-tokens", AlignmentKind.RegMean, 0.95)]
    [InlineData("070-regmean-plusplus", AlignmentKind.RegMeanPlusPlus, 0.95)]
    public void By_the_models_texts_it_is_that_of_the_reference(string name, AlignmentKind kind, double offDiagonal)
    {
        AlignmentExpert[] experts = [.. Models.Select(model => new AlignmentExpert(model, Mini(model), Texts(model)))];
        var merged = GoldenAlignment.Merge(Mini("base"), experts, new AlignmentOptions { Kind = kind, OffDiagonal = offDiagonal });

        Compare(name, merged);
    }

    [Theory]
    [InlineData("066-regmean-activations", "activations", 0.9)]
    [InlineData("067-regmean-grams", "grams", 0.6)]
    [InlineData("068-regmean-few-tokens", "few", 1.0)]
    public void By_given_statistics_it_is_that_of_the_reference(string name, string kind, double offDiagonal)
    {
        using var scope = NewDisposeScope();
        var (baseModel, models) = (Mini("base"), Models.Select(Mini).ToList());
        var data = Models.Select(model => Checkpoint.Open(Input("data", $"{kind}-{model}.safetensors"))).ToList();
        var merged = MeanTensor.Of(baseModel, [.. models.Select(model => new AlignmentExpert("", model, []))]).Tensors.ToDictionary(tensor => tensor.Name, GoldenAlignment.Read);
        var reader = new TileReader();
        foreach (var given in data[0].Tensors)
        {
            var moments = data.Select(each => Moment(each.Find(given.Name)!, kind == "grams").WithOffDiagonal(offDiagonal)).ToList();
            using var system = new StepSystem([1 / 3.0, 1 / 3.0, 1 / 3.0], moments, new AlignmentOptions { Kind = AlignmentKind.RegMean },
                _ => { });
            system.Align();
            var source = baseModel.Find(given.Name)!;
            var rows = ExpertUpdate.Rows(source, 0, source.Shape[0], reader).to_type(ScalarType.Float64);
            var updates = models.Select(model => ExpertUpdate.Read(source, rows, model.Find(given.Name)!, 0, reader)).ToList();
            merged[given.Name] = [.. system.Solve(given.Name, 0, rows, updates, null).to_type(ScalarType.Float32).contiguous().data<float>()];
        }
        Compare(name, merged);
    }

    static SecondMoment Moment(TensorSource source, bool isGram)
    {
        var values = tensor(GoldenAlignment.Read(source), [source.Shape[0], source.Shape[1]]).to_type(ScalarType.Float64);
        return new SecondMoment((int)source.Shape[1]) { Matrix = isGram ? values : values.t().mm(values) / source.Shape[0] };
    }

    static AlignmentText[] Texts(string model) =>
        [.. JsonNode.Parse(File.ReadAllText(Input("data", $"tokens-{model}.json")))!.AsArray().Select(ids =>
            ids!.AsArray().Select(id => (int)id!).ToArray()).Select(ids => new AlignmentText(ids, ids.Length))];

    /// <summary>The rule of golden/methods: 2.4e-7·|expected| + rtol·rms(expected − base).</summary>
    static void Compare(string name, Dictionary<string, float[]> merged)
    {
        double rtol = (double)JsonNode.Parse(File.ReadAllText(Fixtures.Shared("golden", "methods", "cases", name,
            "case.json")))!["tolerance"]!["rtol"]!;
        var baseModel = Mini("base");
        foreach (var tensor in Checkpoint.Open(Fixtures.Shared("golden", "methods", "cases", name, "expected",
            "model.safetensors")).Tensors)
        {
            var (expected, before) = (GoldenAlignment.Read(tensor), GoldenAlignment.Read(baseModel.Find(tensor.Name)!));
            double rms = Math.Sqrt(expected.Zip(before, (one, other) => Math.Pow((double)one - other, 2)).Average());
            for (int i = 0; i < expected.Length; i++)
            {
                double bound = 2.4e-7 * Math.Abs(expected[i]) + rtol * rms;
                Assert.True(Math.Abs((double)expected[i] - merged[tensor.Name][i]) <= bound,
                    $"{tensor.Name}[{i}]: {merged[tensor.Name][i]:R} for {expected[i]:R}, rms {rms:E2}");
            }
        }
    }
}
