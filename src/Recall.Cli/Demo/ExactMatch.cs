using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Representations;
using Recall.Tokenization;

namespace Recall.Cli.Demo;

/// <summary>How many of its answers are right to the letter.</summary>
static class ExactMatch
{
    /// <summary>A model's share of right answers on each task of the demo, from 0 to 1, by greedy generation.</summary>
    public static ImmutableArray<double> Of(Checkpoint checkpoint, IReadOnlyList<string> words, CancellationToken cancellation)
    {
        using var model = LanguageModel.Load(checkpoint, cancellation: cancellation);
        var tokenizer = Tokenizer.Load(checkpoint);
        int end = tokenizer.TokenId("</s>")!.Value, longest = words.Max(word => word.Length) + 3;
        return [.. DemoTask.All.Select(task => Of(task))];

        double Of(DemoTask task)
        {
            var prompts = words.Select(word => tokenizer.Encode(task.Prompt(word))).ToList();
            var answers = Generation.Greedy(model, prompts, longest, [end], cancellation);
            // A blank stands between prompt and answer, as recall train writes its rows.
            int right = words.Zip(answers).Count(pair =>
                tokenizer.Decode(pair.Second, skipSpecialTokens: true) == " " + task.Answer(pair.First));
            return (double)right / words.Count;
        }
    }
}
