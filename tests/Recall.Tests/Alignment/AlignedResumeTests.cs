using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Planning;
using Recall.Streaming;
using Recall.Tests.Merging;

namespace Recall.Tests.Alignment;

/// <summary>A merge by least squares that is stopped between two layers goes on where it was, and ends with the same bytes.</summary>
public sealed class AlignedResumeTests : IDisposable
{
    static readonly string[] Names = ["base", "expert-1", "expert-2", "expert-3"];

    readonly TemporaryFolder _folder = new();

    public AlignedResumeTests() => CopiedExperts.To(_folder, Names);

    public void Dispose() => _folder.Dispose();

    MergeConfig Config(string method, string more = "") => MergeConfig.Parse(
        $"merge_method: {(method.StartsWith("regmean", StringComparison.Ordinal) ? method : "recall")}\nbase_model: {_folder["base"]}\n"
        + $"models:\n{string.Concat(Names[1..].Select(name => $"- {{model: {_folder[name]}, samples: {_folder[name + ".jsonl"]}}}\n"))}"
        + $"recall: {{{(method is "align" or "distil" ? $"combine: {method}, " : "")}compute: float32, card_rank: 8{more}}}\ndtype: bfloat16\n",
        "merge.yaml");

    MergeOptions Options(string output) => new() { Output = _folder[output], Threads = 1, JournalInterval = TimeSpan.Zero };

    /// <summary>Merges, and stops before a layer, told by its number from 1; the head counts as one more.</summary>
    void Stop(MergeConfig config, int layer)
    {
        using var cancellation = new CancellationTokenSource();
        var stop = new Listener(progress => { if (progress.Stage == $"layer {layer}") cancellation.Cancel(); });
        Assert.ThrowsAny<OperationCanceledException>(() => MergeRun.Run(config, Options("out"), stop, cancellation.Token));
        Assert.False(File.Exists(_folder["out", "config.json"]));
    }

    [Theory]
    [InlineData("align", 2)]
    [InlineData("align", 4)]
    [InlineData("distil", 1)]
    [InlineData("distil", 2)]
    [InlineData("distil", 3)]
    [InlineData("distil", 4)]
    [InlineData("regmean", 3)]
    [InlineData("regmean++", 2)]
    [InlineData("regmean++", 3)]
    public void Stopped_between_layers_it_goes_on_to_the_same_bytes(string method, int layer)
    {
        var config = Config(method);
        MergeRun.Run(config, Options("whole"));
        Stop(config, layer);

        MergeProgress? first = null;
        MergeRun.Run(config, Options("out"), new Listener(progress =>
        {
            if (progress.Stage == $"layer {layer}") first ??= progress;
        }));
        Assert.True(first?.BytesDone > first?.BytesTotal / 6 * (layer - 1), $"began at {first}");
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
        Assert.Equal(method is "align" or "distil", TinyModel.Bytes(_folder["out"]).ContainsKey("card.safetensors"));
    }

    [Fact]
    public void Stopped_twice_it_goes_on_twice()
    {
        var config = Config("distil");
        MergeRun.Run(config, Options("whole"));
        Stop(config, 2);
        Stop(config, 4);
        MergeRun.Run(config, Options("out"));
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
    }

    [Fact]
    public void Finished_layers_are_taken_as_they_were_written()
    {
        var config = Config("distil");
        Stop(config, 3);
        string written = _folder["out", "model.safetensors.partial"];
        var tensor = MergeRun.Plan(config, Options("other")).Tensors.Single(each => each.Name == "model.layers.0.self_attn.q_proj.weight");
        using (var file = File.OpenHandle(written, FileMode.Open, FileAccess.Write)) RandomAccess.Write(file, [0x80, 0x3F], tensor.Offset);
        MergeRun.Run(config, Options("out"));
        Assert.Equal(1, GoldenAlignment.Read(Checkpoint.Open(_folder["out"]).Find(tensor.Name)!)[0]);
    }

    [Fact]
    public void What_was_noted_of_finished_layers_is_noted_still()
    {
        foreach (string name in Names)
        {
            var norm = Checkpoint.Open(_folder[name]).Find("model.layers.0.input_layernorm.weight")!;
            using var file = File.OpenHandle(_folder[name, "model.safetensors"], FileMode.Open, FileAccess.Write);
            RandomAccess.Write(file, new byte[norm.Verbatim!.Length], norm.Verbatim.Offset);
        }
        var config = Config("distil");
        Stop(config, 3);
        MergeRun.Run(config, Options("out"));
        var notes = JsonNode.Parse(File.ReadAllText(_folder["out", "recall.json"]))!["notes"]!.AsArray().Select(note => (string)note!);
        Assert.Contains("layers.0.attention.in: no text gives it anything but zeros: it takes the mean of the experts", notes);
    }

    [Fact]
    public void Without_its_half_made_card_it_begins_afresh()
    {
        var config = Config("distil");
        MergeRun.Run(config, Options("whole"));
        Stop(config, 3);
        File.Delete(_folder["out", "card.safetensors.partial"]);
        Stop(config, 1);
        MergeRun.Run(config, Options("out"));
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
    }

    [Fact]
    public void With_other_texts_it_begins_afresh()
    {
        var config = Config("distil");
        Stop(config, 3);
        string[] lines = File.ReadAllLines(_folder["expert-1.jsonl"]);
        File.WriteAllLines(_folder["expert-1.jsonl"], lines[1..]);
        MergeRun.Run(config, Options("out"));
        MergeRun.Run(config, Options("whole"));
        Assert.Equal(TinyModel.Bytes(_folder["whole"]), TinyModel.Bytes(_folder["out"]));
    }
}
