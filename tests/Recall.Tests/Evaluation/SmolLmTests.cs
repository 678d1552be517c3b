using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Evaluation;
using Recall.Tests.Representations;

namespace Recall.Tests.Evaluation;

/// <summary>The first documents of real tasks on SmolLM2-135M-Instruct against lm-evaluation-harness: golden/lm-eval.</summary>
public class SmolLmTests : TorchTests
{
    [Fact]
    public void LogLikelihoodsOfRealTasksAreThoseOfLmEval()
    {
        var model = Checkpoint.Open(Fixtures.Shared("models", "SmolLM2-135M-Instruct.Q4_1.gguf"));
        var tasks = new (string Name, int Rows)[] { ("sst2", 5), ("ag_news", 2), ("medmcqa", 2), ("arc_easy", 2) };
        var sets = tasks.Select(task => EvaluationSet.Read(Fixtures.Shared("tasks", $"{task.Name}.yaml"), limit: task.Rows)).ToList();
        var scores = ModelEvaluation.Prepare("SmolLM2", model, new() { MaxLength = 2048 }, sets).Run(cancellation: TestContext.Current.CancellationToken);
        for (int task = 0; task < tasks.Length; task++)
        {
            var samples = File.ReadLines(Fixtures.Shared("golden", "lm-eval", $"{tasks[task].Name}_local.0-shot.jsonl"))
                .Take(tasks[task].Rows).Select(line => JsonNode.Parse(line)!).ToList();
            for (int row = 0; row < samples.Count; row++)
            {
                var asked = sets[task].Rows[row].Requests;
                // The file has the prompts of the first three documents.
                if (row < 3) Assert.All(asked, request => Assert.Equal((string?)samples[row]["context"], request.Context));
                if (row < 3) Assert.Equal(samples[row]["continuations"]!.AsArray().Select(choice => (string)choice!), asked.Select(request => request.Continuation));
                var expected = samples[row]["loglikelihoods"]!.AsArray();
                for (int choice = 0; choice < expected.Count; choice++)
                {
                    Assert.Equal((double)expected[choice]![0]!, scores.Tasks[task].Rows[row][choice].Sum, 2e-3);
                    Assert.Equal((bool)expected[choice]![1]!, scores.Tasks[task].Rows[row][choice].IsGreedy);
                }
            }
            Assert.Equal(samples.Average(sample => (double)sample["acc"]!), scores.Tasks[task].Accuracy!.Value.Value, 1e-12);
        }
    }

    [Fact]
    public void PlainTextIsScoredInWindowsAsTheReferenceDoes()
    {
        var golden = JsonNode.Parse(File.ReadAllText(Fixtures.Shared("golden", "smollm2", "expected.json")))!["wikitext2"]!;
        var model = Checkpoint.Open(Fixtures.Shared("models", "SmolLM2-135M-Instruct.Q4_1.gguf"));
        string content = File.ReadAllText(Fixtures.Shared("data", "wikitext2.test.txt"))[..(int)golden["characters"]!];
        var text = new PlainText("wikitext2", content);
        var whole = text.Requests(RequestEncoder.For(model));
        Assert.Equal(golden["windows"]!.AsArray().Select(window => (int)window![0]!), whole.Select(window => window.Continuation.Length));
        // One window of 512 tokens: all twelve take minutes on a busy machine.
        var scores = ModelEvaluation.Prepare("SmolLM2", model, new(), [], text with { MaxTokens = 512 }).Run(cancellation: TestContext.Current.CancellationToken);
        double expected = (double)golden["windows"]![0]![1]! / 511;
        Assert.Equal(511, scores.Text!.Tokens);
        Assert.Equal(expected, scores.Text.Loss, 1e-4 * expected);
        Assert.Equal(Math.Exp(scores.Text.Loss), scores.Text.Perplexity, 1e-12);
    }
}
