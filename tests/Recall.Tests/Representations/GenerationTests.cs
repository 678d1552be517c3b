using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Tests.Representations;

/// <summary>Greedy generation against transformers: fixtures/training/generation.json.</summary>
public class GenerationTests : TorchTests
{
    static readonly JsonNode Golden = JsonNode.Parse(File.ReadAllText(Fixtures.Path("training", "generation.json")))!;

    static LanguageModel Load()
    {
        var tensors = SafetensorsFile.Read(DataFile.Open(Fixtures.Path("training", (string)Golden["model"]!))).Tensors;
        var checkpoint = Checkpoint.Open(Fixtures.Path("training", "base")).With(tensors);
        return LanguageModel.Load(checkpoint, cancellation: TestContext.Current.CancellationToken);
    }

    static int[] Ids(JsonNode? list) => [.. list!.AsArray().Select(id => (int)id!)];

    [Fact]
    public void EveryPromptGoesOnAsInTransformers()
    {
        using var model = Load();
        var cancellation = TestContext.Current.CancellationToken;
        foreach (var @case in Golden["cases"]!.AsArray())
        {
            var prompt = Ids(@case!["prompt"]);
            Assert.Equal(Ids(@case["ids"]), Generation.Greedy(model, prompt, 30, [], cancellation));
            Assert.Equal(Ids(@case["ids_until_eos"]), Generation.Greedy(model, prompt, 30, [2], cancellation));
        }
    }

    [Fact]
    public void PromptsOfDifferentLengthsGoOnTogether()
    {
        using var model = Load();
        var batch = Golden["left_padded_batch"]!;
        var prompts = batch["input_ids"]!.AsArray().Zip(batch["attention_mask"]!.AsArray(), (ids, mask) =>
            Ids(ids).Zip(Ids(mask)).Where(token => token.Second == 1).Select(token => token.First).ToArray()).ToList();
        var expected = batch["new_ids_padded_after_eos"]!.AsArray().Select(Ids).ToList();
        var made = Generation.Greedy(model, prompts, expected[0].Length, [2], TestContext.Current.CancellationToken);
        Assert.Equal(expected, made.Select(row => row.Concat(Enumerable.Repeat(0, expected[0].Length - row.Length)).ToArray()));
    }

    [Fact]
    public void ACacheWithoutRoomGrows()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = Load();
        using var cache = new KeyValueCache(model.Options, rows: 1, capacity: 1);
        using var context = AttentionContext.Of(model.Options, 7);
        using var batch = TokenBatch.Of([[1, 5, 9, 8, 7, 6, 5]]);
        var whole = model.Forward(batch.Ids, context);
        for (int past = 0; past < 7; past++)
        {
            using var step = AttentionContext.Of(model.Options, batch.Real.narrow(1, 0, past + 1), past);
            var one = model.Forward(batch.Ids.narrow(1, past, 1), step, cache: cache);
            GoldenTensors.AssertNear(whole.narrow(1, past, 1), one, $"token {past}", 1e-5);
        }
        Assert.Equal(7, cache.Length);
    }

    [Theory]
    [InlineData("mistral")]
    [InlineData("ministral3")]
    [InlineData("qwen3")]
    [InlineData("gemma2")]
    [InlineData("gpt2")]
    [InlineData("gpt-neox")]
    [InlineData("mixtral")]
    public void TheCacheChangesNothing(string name)
    {
        using var quiet = no_grad();
        using var model = LanguageModel.Load(
            Checkpoint.Open(Fixtures.Path("architectures", name)), cancellation: TestContext.Current.CancellationToken);
        var ids = new List<int> { 3, 17, 99, 4, 5, 6 };
        var made = Generation.Greedy(model, [.. ids], 12, [], TestContext.Current.CancellationToken);
        foreach (int next in made)
        {
            using var scope = NewDisposeScope();
            using var batch = TokenBatch.Of([[.. ids]]);
            using var context = AttentionContext.Of(model.Options, batch);
            var logits = model.Logits(model.Forward(batch.Ids, context));
            Assert.Equal(next, logits[0, -1].argmax().item<long>());
            ids.Add(next);
        }
    }
}
