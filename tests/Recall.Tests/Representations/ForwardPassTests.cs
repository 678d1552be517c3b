using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Tests.Representations;

/// <summary>Forward passes against those of transformers: fixtures/architectures.</summary>
public class ForwardPassTests : TorchTests
{
    /// <summary>Those of the repository, and those beside it, which show the same options in other families.</summary>
    public static TheoryData<string> Models() =>
    [
        .. Directory.GetDirectories(Fixtures.Path("architectures")).Select(folder => Path.GetFileName(folder)).Order(),
        "arcee", "cohere", "cohere2", "ernie4_5", "exaone4", "falcon-7b", "gemma", "gemma3", "glm", "glm4", "gpt-bigcode", "gpt-j", "gpt-neox-sequential", "gpt2-bare", "granite",
        "helium", "hunyuan-dense", "nemotron", "olmo", "olmo2", "olmo3", "olmoe", "opt", "phi", "phi3-longrope", "phi3-longrope-short", "qwen3-moe",
        "seed-oss", "smollm3", "stablelm", "starcoder2",
    ];

    static string Folder(string name) =>
        Directory.Exists(Fixtures.Path("architectures", name)) ? Fixtures.Path("architectures", name) : Fixtures.Shared("golden", "architectures", name);

    [Theory, MemberData(nameof(Models))]
    public void EveryHiddenStateAndTheLogitsAreThoseOfTransformers(string name)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = Load(name);
        var golden = new GoldenTensors(Path.Combine(Folder(name), "golden.safetensors"));
        var (ids, mask) = (golden["input_ids"], golden["attention_mask"]);
        using var context = AttentionContext.Of(model.Options, ids.shape[1]);

        var hidden = model.Embed(ids, context);
        for (int layer = 0; layer < model.Options.Layers; layer++)
        {
            GoldenTensors.AssertNear(golden[$"hidden.{layer}"], hidden, $"hidden.{layer}", mask: mask);
            hidden = model.Blocks[layer].Forward(hidden, context);
        }
        GoldenTensors.AssertNear(golden[$"hidden.{model.Options.Layers}.raw"], hidden, "raw", mask: mask);
        GoldenTensors.AssertNear(golden[$"hidden.{model.Options.Layers}"], model.Normalize(hidden), "normed", mask: mask);
        GoldenTensors.AssertNear(golden["logits"], model.Logits(hidden), "logits", mask: mask);
        GoldenTensors.AssertNear(hidden, model.Forward(ids, context), "whole", 0);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gemma2")]
    [InlineData("gpt2")]
    public void RowsPaddedOnTheLeftGiveTheSame(string name)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = Load(name);
        var golden = new GoldenTensors(Fixtures.Path("architectures", name, "golden_left.safetensors"));
        using var context = AttentionContext.Of(model.Options, golden["attention_mask"].to_type(ScalarType.Bool), 0);
        GoldenTensors.AssertNear(golden["logits"], model.Logits(model.Forward(golden["input_ids"], context)), "logits", mask: golden["attention_mask"]);
    }

    [Theory, MemberData(nameof(Models))]
    public void BlocksReadOneByOneIntoReusedTensorsGiveTheSame(string name)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var checkpoint = Checkpoint.Open(Folder(name));
        var options = BlockOptions.Read(checkpoint);
        var golden = new GoldenTensors(Path.Combine(Folder(name), "golden.safetensors"));
        using var weights = new LayerWeights(options);
        using var context = AttentionContext.Of(options, golden["input_ids"].shape[1]);
        var reader = new TileReader();
        var hidden = golden["hidden.0"];
        for (int layer = 0; layer < options.Layers; layer++) hidden = weights.Read(checkpoint, layer, reader).Forward(hidden, context);
        GoldenTensors.AssertNear(golden[$"hidden.{options.Layers}.raw"], hidden, "raw", mask: golden["attention_mask"]);
    }

    [Fact]
    public void TheLinearLayersOfABlockCanBeLookedAtAndReplaced()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = Load("llama-bias");
        var block = model.Blocks[1];
        using var context = AttentionContext.Of(model.Options, 5);
        var hidden = randn(2, 5, model.Options.HiddenSize, generator: new Generator(3));
        var inputs = new Dictionary<string, Tensor>();
        var looked = block.Forward(hidden, context, (name, input) => block.Linear(name, inputs[name] = input.clone().MoveToOuterDisposeScope()));
        GoldenTensors.AssertNear(block.Forward(hidden, context), looked, "looked at", 0);
        Assert.Equal(model.Options.Linears(1).Select(linear => (linear.Name, (long)linear.Inputs)), inputs.Select(entry => (entry.Key, entry.Value.shape[2])));
        GoldenTensors.AssertNear(block.AttentionInput(hidden), inputs["self_attn.k_proj"], "input", 0);

        // Without what the two output layers give, a block passes on what it got.
        var without = block.Forward(hidden, context, (name, input) => name is "self_attn.o_proj" or "mlp.down_proj" ? zeros_like(hidden) : block.Linear(name, input));
        GoldenTensors.AssertNear(hidden, without, "residual", 0);
    }

    [Fact]
    public void InBFloat16TheStatesAreNearThoseOfFloat32()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = Load("qwen3", ScalarType.BFloat16);
        var golden = new GoldenTensors(Fixtures.Path("architectures", "qwen3", "golden.safetensors"));
        using var context = AttentionContext.Of(model.Options, golden["input_ids"].shape[1], ScalarType.BFloat16);
        var logits = model.Logits(model.Forward(golden["input_ids"], context));
        Assert.Equal(ScalarType.BFloat16, logits.dtype);
        GoldenTensors.AssertNear(golden["logits"], logits, "logits", 0.05 * golden["logits"].abs().max().item<float>(), golden["attention_mask"]);
    }

    [Fact]
    public void PooledRowsDoNotDependOnWhatTheyAreBatchedWith()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = Load("mistral");
        int[][] texts = [[5, 9, 1], [7, 3, 2, 8, 44, 100, 3, 2, 9, 12, 13], [17], [1, 2, 3, 4]];
        foreach (var pooling in Enum.GetValues<Pooling>())
        {
            var alone = texts.Select(text => Pool(model, TokenBatch.Of([text]), pooling)).ToArray();
            foreach (bool padLeft in new[] { false, true })
            {
                using var batch = TokenBatch.Of(texts, padLeft);
                GoldenTensors.AssertNear(cat(alone, 0), Pool(model, batch, pooling), $"{pooling} {padLeft}", 1e-5);
            }
            foreach (var batch in TokenBatch.ByLength(texts, tokens: 8))
            {
                var pooled = Pool(model, batch, pooling);
                for (int row = 0; row < batch.Texts.Length; row++)
                    GoldenTensors.AssertNear(alone[batch.Texts[row]], pooled.narrow(0, row, 1), $"{pooling} text {batch.Texts[row]}", 1e-5);
            }
        }
    }

    [Fact]
    public void BatchesByLengthHoldEveryTextOnceWithinTheirSize()
    {
        int[][] texts = [.. Enumerable.Range(1, 40).Select(i => new int[1 + i * 7 % 13])];
        var batches = TokenBatch.ByLength(texts, tokens: 30).ToList();
        Assert.Equal(Enumerable.Range(0, 40), batches.SelectMany(batch => batch.Texts).Order());
        Assert.All(batches, batch => Assert.True(batch.Texts.Length == 1 || batch.Ids.numel() <= 30));
        Assert.All(batches, batch => Assert.Equal(batch.Texts.Select(text => texts[text].Length), batch.Lengths));
        foreach (var batch in batches) batch.Dispose();
    }

    static LanguageModel Load(string name, ScalarType type = ScalarType.Float32) =>
        LanguageModel.Load(Checkpoint.Open(Folder(name)), type, TestContext.Current.CancellationToken);

    static Tensor Pool(LanguageModel model, TokenBatch batch, Pooling pooling)
    {
        using var context = AttentionContext.Of(model.Options, batch);
        return batch.Pool(model.Forward(batch.Ids, context), pooling);
    }
}
