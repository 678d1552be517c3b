using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Representations;
using Recall.Tokenization;
using static TorchSharp.torch;

namespace Recall.Tests.Representations;

/// <summary>A real model, dequantised from GGUF, against transformers; skipped where it is not there.</summary>
public class SmolLM2Tests : TorchTests
{
    [Fact]
    public void PerplexityAndGreedyTextAreThoseOfTransformers()
    {
        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Shared("golden", "smollm2", "expected.json")))!;
        var checkpoint = Checkpoint.Open(Fixtures.Shared("models", "SmolLM2-135M-Instruct.Q4_1.gguf"));
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        using var model = LanguageModel.Load(checkpoint, cancellation: TestContext.Current.CancellationToken);
        var tokenizer = Tokenizer.Load(checkpoint);

        string text = File.ReadAllText(Fixtures.Shared("data", "wikitext2.test.txt"))[..24000];
        var ids = tokenizer.Encode(text);
        Assert.Equal((int)expected["wikitext2"]!["tokens"]!, ids.Length);
        using var batch = TokenBatch.Of([ids[..512], ids[512..1024]]);
        using var context = AttentionContext.Of(model.Options, batch);
        var scores = model.Logits(model.Forward(batch.Ids, context)).log_softmax(-1).narrow(1, 0, 511)
            .gather(-1, batch.Ids.narrow(1, 1, 511).unsqueeze(-1)).sum([1, 2]);
        for (int window = 0; window < 2; window++)
        {
            double nll = (double)expected["wikitext2"]!["windows"]![window]![1]!;
            Assert.Equal(nll, -scores[window].item<float>(), 1e-4 * nll);
        }

        foreach (var @case in expected["greedy"]!.AsArray().Where(@case => (double)@case!["smallest margin"]! > 1e-3).Take(2))
        {
            int[] wanted = [.. @case!["new"]!.AsArray().Select(id => (int)id!)];
            var made = Generation.Greedy(model, tokenizer.Encode((string)@case["prompt"]!), wanted.Length, [2], TestContext.Current.CancellationToken);
            Assert.Equal(wanted, made);
            Assert.Equal((string?)@case["text"], tokenizer.Decode(made));
        }
    }
}
