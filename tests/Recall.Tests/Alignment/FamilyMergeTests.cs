using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Configuration;
using Recall.Planning;
using Recall.Tests.Merging;
using Recall.Tests.Representations;

namespace Recall.Tests.Alignment;

/// <summary>From a merge file to a folder, also where a layer is written as columns of a tensor, or as a part of a stack.</summary>
public sealed class FamilyMergeTests : TorchTests, IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("gpt2", "distil", AlignmentKind.Distil)]
    [InlineData("phi3", "regmean", AlignmentKind.RegMean)]
    [InlineData("qwen2-moe", "regmean++", AlignmentKind.RegMeanPlusPlus)]
    [InlineData("granitemoe", "align", AlignmentKind.Align)]
    public void A_merge_file_gives_the_same_model(string family, string method, AlignmentKind kind)
    {
        MergeRun.Run(Config(family, method, "float32"), Options("merged"));
        FamilyModels.AssertNear(1e-6, FamilyModels.Weights(Checkpoint.Open(_folder["merged"])),
            GoldenAlignment.Merge(FamilyModels.Base(family), FamilyModels.Experts(FamilyModels.Base(family), 2, texts: 4), new AlignmentOptions { Kind = kind }));
    }

    [Theory]
    [InlineData("gpt2", "distil")]
    [InlineData("mixtral", "distil")]
    [InlineData("granitemoe", "regmean++")]
    public void Stopped_between_layers_it_goes_on_to_the_same_bytes(string family, string method)
    {
        var config = Config(family, method, "bfloat16");
        MergeRun.Run(config, Options("whole"));
        using var cancellation = new CancellationTokenSource();
        var stop = new Listener(progress => { if (progress.Stage == "layer 2") cancellation.Cancel(); });
        Assert.ThrowsAny<OperationCanceledException>(() => MergeRun.Run(config, Options("out"), stop, cancellation.Token));
        Assert.False(File.Exists(_folder["out", "config.json"]));
        MergeRun.Run(config, Options("out"));
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
    }

    MergeOptions Options(string output) => new() { Output = _folder[output], Threads = 1, JournalInterval = TimeSpan.Zero };

    MergeConfig Config(string family, string method, string type)
    {
        string path = Fixtures.Path("architectures", family);
        var models = FamilyModels.Experts(FamilyModels.Base(family), 2, texts: 4).Select(expert => Write(path, expert)).ToList();
        return MergeConfig.Parse($"merge_method: {(method.StartsWith("regmean", StringComparison.Ordinal) ? method : "recall")}\nbase_model: {path}\n"
            + $"models:\n{string.Concat(models)}dtype: {type}\n"
            + $"recall: {{{(method is "align" or "distil" ? $"combine: {method}, " : "")}compute: float32}}\n", "merge.yaml");
    }

    string Write(string origin, AlignmentExpert expert)
    {
        string folder = _folder[expert.Name];
        Directory.CreateDirectory(folder);
        File.Copy(Path.Combine(origin, "config.json"), Path.Combine(folder, "config.json"));
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"),
            expert.Checkpoint.Tensors.Select(tensor => TensorBytes.Of(tensor.Name, tensor.Shape, GoldenAlignment.Read(tensor))));
        File.WriteAllLines(Path.Combine(folder, "texts.jsonl"),
            expert.Texts.Select(text => $"{{\"ids\": [{string.Join(", ", text.Ids)}], \"answer\": {text.Answer}}}"));
        return $"- {{model: {folder}, samples: {Path.Combine(folder, "texts.jsonl")}}}\n";
    }
}
