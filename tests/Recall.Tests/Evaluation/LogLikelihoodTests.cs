using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Evaluation;
using Recall.Tests.Representations;

namespace Recall.Tests.Evaluation;

/// <summary>Log-likelihoods of golden/metrics/loglikelihood (not shipped: its sentences come from data sets), and of made-up requests.</summary>
public class LogLikelihoodTests : TorchTests
{
    static Checkpoint Golden() => Checkpoint.Open(Fixtures.Shared("golden", "metrics", "loglikelihood"));

    static JsonNode Read(string name) => JsonNode.Parse(File.ReadAllText(Fixtures.Shared("golden", "metrics", "loglikelihood", name)))!;

    static IReadOnlyList<ContinuationScore> Score(Checkpoint model, IReadOnlyList<TokenRequest> requests, int? maxLength = null) =>
        LogLikelihood.Run("tiny", model, requests, new() { MaxLength = maxLength }, cancellation: TestContext.Current.CancellationToken);

    static int[] Ids(JsonNode? list) => [.. list!.AsArray().Select(id => (int)id!)];

    [Fact]
    public void RequestsAreSplitAndScoredAsTheReferenceDoes()
    {
        var model = Golden();
        var rows = File.ReadLines(Fixtures.Shared("golden", "metrics", "loglikelihood", "requests.jsonl")).Select(line => JsonNode.Parse(line)!).ToList();
        var defined = rows.Where(row => row["undefined"] is null).ToList();
        var requests = new List<TokenRequest>();
        foreach (var row in defined)
        {
            var expected = new TokenRequest(Ids(row["context_ids"]), Ids(row["continuation_ids"]));
            if ((string?)row["continuation"] is { } continuation)
            {
                var made = RequestEncoder.For(model, (bool)row["add_special_tokens"]!).Encode((string)row["context"]!, continuation);
                Assert.Equal(expected.Context, made.Context);
                Assert.Equal(expected.Continuation, made.Continuation);
            }
            requests.Add(expected);
        }
        Assert.InRange(requests.Count, 50, 1000);
        var scores = Score(model, requests);
        for (int i = 0; i < defined.Count; i++)
        {
            var expected = defined[i]["token_logprobs"]!.AsArray();
            Assert.Equal(expected.Count, scores[i].LogProbabilities.Length);
            for (int token = 0; token < expected.Count; token++) Assert.Equal((double)expected[token]!, scores[i].LogProbabilities[token], 2e-4);
            Assert.Equal(defined[i]["greedy_tokens"]!.AsArray().Select(token => (bool)token!), scores[i].Greedy);
            Assert.Equal((bool)defined[i]["is_greedy"]!, scores[i].IsGreedy);
        }
        foreach (var row in rows.Where(row => row["undefined"] is not null && (string)row["context"]! != " "))
        {
            var encoder = RequestEncoder.For(model, (bool)row["add_special_tokens"]!);
            var error = Assert.Throws<RecallException>(() => encoder.Encode((string)row["context"]!, (string)row["continuation"]!));
            Assert.EndsWith("has no tokens of its own", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ChoicesArePickedAsTheReferenceDoes()
    {
        var (model, golden) = (Golden(), Read("choices.json"));
        string delimiter = (string)golden["delimiter"]!;
        var rows = golden["items"]!.AsArray().Select((item, i) =>
        {
            var choices = item!["choices"]!.AsArray().Select(choice => (string)choice!).ToList();
            return new EvaluationRow(
                i + 1, [.. choices.Select(choice => ((string)item["context"]!, delimiter + choice))], [(int)item["gold"]!],
                [.. choices.Select(choice => choice.EnumerateRunes().Count())]);
        });
        var set = new EvaluationSet("choices", "choices.json", EvaluationKind.Choices, [.. rows], []);
        // The reference scored these without BOS.
        var encoder = RequestEncoder.For(model, addSpecialTokens: false);
        var scores = new TaskScores(set,
            [.. set.Rows.Select(row => Score(model, [.. row.Requests.Select(asked => encoder.Encode(asked.Context, asked.Continuation))]).ToImmutableArray())]);
        var items = golden["items"]!.AsArray();
        for (int row = 0; row < items.Count; row++)
        {
            Assert.Equal(Ids(items[row]!["chars"]), set.Rows[row].Characters);
            Assert.Equal(Ids(items[row]!["tokens"]), scores.Rows[row].Select(score => score.LogProbabilities.Length));
            var sums = scores.Rows[row].Select(score => score.Sum).ToList();
            for (int i = 0; i < sums.Count; i++) Assert.Equal((double)items[row]!["logprobs"]![i]!, sums[i], 2e-3);
            Assert.Equal((int)items[row]!["pick"]!, sums.IndexOf(sums.Max()));
        }
        Assert.Equal(items.Average(item => (double)item!["acc"]!), scores.Accuracy!.Value.Value, 1e-12);
        Assert.Equal(items.Average(item => (double)item!["acc_norm"]!), scores.NormalizedAccuracy!.Value.Value, 1e-12);
    }

    [Fact]
    public void WindowsRollOverATextAsInTheReference()
    {
        var model = Golden();
        var encoder = RequestEncoder.For(model, addSpecialTokens: false);
        foreach (var text in Read("rolling.json").AsArray())
        {
            int longest = (int)text!["max_seq_len"]!;
            var requests = encoder.Rolling((string)text["text"]!, longest, (int)text["context_len"]!);
            var windows = text["windows"]!.AsArray();
            Assert.Equal(windows.Count, requests.Count);
            for (int i = 0; i < windows.Count; i++)
            {
                Assert.Equal(Ids(windows[i]!["predicted"]), requests[i].Continuation);
                if (i > 0) Assert.Equal(Ids(windows[i]!["context"]), requests[i].Context);
            }
            // The reference's first window has its own tokens before it, BOS at their head, and is read whole; lm-eval and Recall give BOS alone
            // (TaskScoresTests). What is scored here is what the file says.
            var scores = Score(model, [.. windows.Select(window => new TokenRequest(Ids(window!["context"]), Ids(window["predicted"])))], 2 * longest);
            for (int i = 0; i < windows.Count; i++) Assert.Equal((double)windows[i]!["logprob"]!, scores[i].Sum, 2e-4 * longest);
            double perplexity = Math.Exp(-scores.Sum(score => score.Sum) / scores.Sum(score => score.Greedy.Length));
            Assert.Equal((double)text["perplexity"]!, perplexity, 2e-4 * perplexity);
        }
    }

    [Fact]
    public void InputsThatBeginAnotherHaveNoPassOfTheirOwn()
    {
        int[][] inputs = [[1, 2], [1, 2, 3], [5], [1, 2, 4], [1], [1, 2, 3], [5, 6, 7], []];
        var shared = new SharedInputs(inputs);
        Assert.Equal([[1, 2, 3], [1, 2, 4], [5, 6, 7]], shared.Texts.OrderBy(text => string.Join(' ', text)));
        for (int i = 0; i < inputs.Length; i++) Assert.True(shared.Texts[shared.TextOf[i]].AsSpan().StartsWith(inputs[i]));
    }

    [Fact]
    public void WhatCannotBeScoredIsRefused()
    {
        var model = Checkpoint.Open(Fixtures.Path("lm-eval", "model"));
        string Message(TokenRequest request, int? maxLength = null) => Assert.Throws<RecallException>(() => Score(model, [request], maxLength)).Message;
        Assert.Contains("no tokens to score", Message(new([1], [])), StringComparison.Ordinal);
        Assert.Contains("none before them", Message(new([], [1])), StringComparison.Ordinal);
        Assert.Contains("has 3 tokens; tiny reads at most 2", Message(new([1], [1, 2, 3]), 2), StringComparison.Ordinal);
        Assert.Contains("has the token id 576", Message(new([576], [1])), StringComparison.Ordinal);
    }

    [Fact]
    public void AContextThatIsTooLongLosesItsBeginning()
    {
        var model = Checkpoint.Open(Fixtures.Path("lm-eval", "model"));
        var cut = Score(model, [new([9, 8, 7, 6, 5, 4], [3, 2])], maxLength: 4)[0];
        var same = Score(model, [new([6, 5, 4], [3, 2])])[0];
        Assert.Equal(same.Sum, cut.Sum, 1e-5);
        Assert.NotEqual(Score(model, [new([9, 8, 7, 6, 5, 4], [3, 2])])[0].Sum, cut.Sum, 1e-5);
    }
}
