using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Evaluation;
using Recall.Tests.Representations;

namespace Recall.Tests.Evaluation;

/// <summary>Task files against lm-evaluation-harness: fixtures/lm-eval.</summary>
public class TaskScoresTests : TorchTests
{
    static readonly JsonObject Results = JsonNode.Parse(File.ReadAllText(Fixtures.Path("lm-eval", "results.json")))!.AsObject();

    public static TheoryData<string> Runs => [.. Results.Select(run => run.Key)];

    /// <summary>The tiny model, with the tokenizer that puts BOS first or without.</summary>
    static Checkpoint Model(bool bos)
    {
        var model = Checkpoint.Open(Fixtures.Path("lm-eval", "model"));
        if (!bos) return model;
        return new Checkpoint(model.Path, model.Config, model.Tensors,
            [.. model.Files.Select(file => CheckpointFile.OnDisk(file.Name, Fixtures.Path("lm-eval", "tokenizer-bos", file.Name)) ?? file)]);
    }

    [Theory, MemberData(nameof(Runs))]
    public void PromptsIdsLogLikelihoodsAndAccuraciesAreThoseOfLmEval(string run)
    {
        var options = Results[run]!["options"]!;
        bool bos = options["tokenizer"] is not null && (bool?)options["add_bos_token"] is not false;
        var set = EvaluationSet.Read(Fixtures.Path("lm-eval", "tasks", $"{Results[run]!["task"]}.yaml"), limit: (double?)options["limit"]);
        var evaluation = ModelEvaluation.Prepare("tiny", Model(bos), new LogLikelihoodOptions { MaxLength = (int?)options["max_length"] }, [set]);
        var scores = evaluation.Run(cancellation: TestContext.Current.CancellationToken).Tasks[0];
        var samples = File.ReadLines(Fixtures.Path("lm-eval", "samples", $"{run}.jsonl")).Select(line => JsonNode.Parse(line)!).ToList();

        Assert.Equal(samples.Count, set.Rows.Length);
        int request = 0;
        for (int row = 0; row < samples.Count; row++)
        {
            if (set.Kind == EvaluationKind.Text) CheckText(samples[row], set.Rows[row], scores.Rows[row], evaluation.Requests.Skip(request).ToList());
            else CheckRow(samples[row], set.Rows[row], scores.Rows[row], evaluation.Requests.Skip(request).ToList());
            request += scores.Rows[row].Length;
        }
        var results = Results[run]!["results"]!;
        CheckMean(results, "acc", set.Kind == EvaluationKind.Choices ? scores.Accuracy : null);
        CheckMean(results, "acc_norm", scores.NormalizedAccuracy);
    }

    static void CheckRow(JsonNode sample, EvaluationRow row, IReadOnlyList<ContinuationScore> scores, IReadOnlyList<TokenRequest> requests)
    {
        var prompts = sample["prompt"] as JsonArray;
        for (int i = 0; i < row.Requests.Length; i++)
        {
            Assert.Equal((string?)(prompts is null ? sample["prompt"] : prompts[i]), row.Requests[i].Context);
            Assert.Equal((string?)sample["continuations"]![i], row.Requests[i].Continuation);
            Assert.Equal((double)sample["logprobs"]![i]!, scores[i].Sum, 2e-4);
            Assert.Equal((bool)sample["greedy"]![i]!, scores[i].IsGreedy);
            if (sample["ids"] is not { } ids) continue;
            Assert.Equal(Ids(ids[i]![0]), requests[i].Context);
            Assert.Equal(Ids(ids[i]![1]), requests[i].Continuation);
        }
    }

    static void CheckText(JsonNode sample, EvaluationRow row, IReadOnlyList<ContinuationScore> scores, IReadOnlyList<TokenRequest> requests)
    {
        Assert.Equal((string?)sample["text"], row.Requests[0].Continuation);
        Assert.Equal((double)sample["logprob"]!, scores.Sum(window => window.Sum), 5e-4);
        if (sample["windows"] is not JsonArray windows) return;
        Assert.Equal(windows.Count, scores.Count);
        for (int i = 0; i < windows.Count; i++)
        {
            Assert.Equal(Ids(windows[i]![0]), requests[i].Context);
            Assert.Equal(Ids(windows[i]![1]), requests[i].Continuation);
        }
    }

    static void CheckMean(JsonNode results, string metric, MeanScore? mean)
    {
        if (mean is null || results[metric] is not { } expected) return;
        Assert.Equal((double)expected, mean.Value.Value, 1e-8);
        if (results[$"{metric}_stderr"] is { } error && error.GetValueKind() == System.Text.Json.JsonValueKind.Number)
            Assert.Equal((double)error, mean.Value.StandardError!.Value, 1e-8);
    }

    static int[] Ids(JsonNode? list) => [.. list!.AsArray().Select(id => (int)id!)];

    [Fact]
    public void TheLossIsThatOfTheRightAnswersTokens()
    {
        var set = EvaluationSet.Read(Fixtures.Path("lm-eval", "tasks", "ll_cloze.yaml"));
        var scores = ModelEvaluation.Prepare("tiny", Model(bos: false), new(), [set]).Run(cancellation: TestContext.Current.CancellationToken).Tasks[0];
        Assert.Equal(-scores.Rows.Sum(row => row[0].Sum) / scores.Rows.Sum(row => row[0].LogProbabilities.Length), scores.Loss!.Value, 1e-12);
        Assert.Null(scores.Accuracy);
        // lm-eval's perplexity of this type is over documents.
        Assert.Equal((double)Results["ll_cloze"]!["results"]!["perplexity"]!, Math.Exp(-scores.Rows.Average(row => row[0].Sum)), 1e-4);
    }

    [Fact]
    public void OfChoicesTheLossIsTheMeanOverRowsAndAGoldThatIsNoChoiceIsWrongAndWithoutLoss()
    {
        ContinuationScore Score(params double[] values) => new([.. values], [.. values.Select(_ => false)]);
        EvaluationRow Row(int gold) => new(1, [("p", " a"), ("p", " bcd")], [gold], [1, 3]);
        var set = new EvaluationSet("t", "t.yaml", EvaluationKind.Choices, [Row(0), Row(1), Row(-1)], []);
        var scores = new TaskScores(set, [[Score(-1), Score(-0.5, -1)], [Score(-1), Score(-0.5, -1)], [Score(-1), Score(-3)]]);
        Assert.Equal((1 + 0.75) / 2, scores.Loss!.Value, 1e-12);
        Assert.Equal(3, scores.Tokens);
        Assert.Equal(1 / 3.0, scores.Accuracy!.Value.Value, 1e-12);
        Assert.Equal(1 / 3.0, scores.NormalizedAccuracy!.Value.Value, 1e-12);
        Assert.Equal(Math.Sqrt(2 / 9.0 / 2), scores.Accuracy!.Value.StandardError!.Value, 1e-12);
    }

    [Fact]
    public void AModelThatIsReadInManyPassesGivesTheSame()
    {
        var set = EvaluationSet.Read(Fixtures.Path("lm-eval", "tasks", "mc_fields.yaml"));
        double[] Sums(LogLikelihoodOptions options, IProgress<LogLikelihoodProgress>? progress = null) =>
            [.. ModelEvaluation.Prepare("tiny", Model(bos: false), options, [set]).Run(progress, TestContext.Current.CancellationToken)
                .Tasks[0].Rows.SelectMany(row => row.Select(score => score.Sum))];
        var passes = new HashSet<int>();
        double[] whole = Sums(new()), parts = Sums(new() { StateBytes = 100 * 64 * 4 }, new Seen(passes));
        Assert.InRange(passes.Count, 3, 100);
        for (int i = 0; i < whole.Length; i++) Assert.Equal(whole[i], parts[i], 1e-4);
    }

    sealed class Seen(HashSet<int> passes) : IProgress<LogLikelihoodProgress>
    {
        public void Report(LogLikelihoodProgress value) => passes.Add(value.Pass);
    }

    [Fact]
    public void TheKeptShareIsThatOfTheExpertsGain()
    {
        TaskScores Task(double loss) => new(
            new EvaluationSet("t", "t", EvaluationKind.Answer, [new(1, [("p", "a")], [0], [])], []), [[new([-loss], [false])]]);
        ModelScores Model(params double[] losses) => new("m", [.. losses.Select(Task)], null);
        var kept = KeptGain.Of(Model(2, 1.5, 9), Model(4, 2, 3), [Task(1), Task(1), Task(3)]);
        Assert.Equal([2 / 3.0, 0.5, null], kept.Shares);
        Assert.Equal((2 / 3.0 + 0.5) / 2, kept.Mean!.Value, 1e-12);
        Assert.Equal(0.5, kept.Worst);
    }
}
