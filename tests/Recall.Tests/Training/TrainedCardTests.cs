using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Configuration;
using Recall.Planning;
using Recall.Tests.Representations;
using Recall.Training;

namespace Recall.Tests.Training;

/// <summary>The card beside what was trained, and the merge that finds it.</summary>
public sealed class TrainedCardTests : TorchTests
{
    static readonly PromptAnswer[] Rows = [.. Enumerable.Range(0, 100).Select(i => new PromptAnswer($"row {i} is ", $"{(char)('a' + i % 26)}"))];

    static int[] Encode(string text) => [1, .. text.Select(letter => letter % 61 + 3)];

    static string Base => Fixtures.Path("training", "base");

    static string Train(string output, string more)
    {
        var config = TrainConfig.Parse($"model: {Base}\noutput: {output}\nsteps: 3\nwarmup: 0\nlearning_rate: 0.01\n{more}\n", "train.yaml");
        TrainRun.Run(config, Checkpoint.Open(Base), Rows, Encode, cancellation: TestContext.Current.CancellationToken);
        return output;
    }

    static Checkpoint Opened(string output) =>
        File.Exists(Path.Combine(output, "config.json")) ? Checkpoint.Open(output) : LoraAdapter.Open(output).Apply(Checkpoint.Open(Base));

    [Theory]
    [InlineData("lora: {r: 2}", 64)]
    [InlineData("lora: {r: 2}\ndtype: bfloat16\ncard: full", null)]
    [InlineData("full: true\ncard: 3", 3)]
    public void It_is_of_the_trained_model_and_of_64_rows_from_all_over_the_data(string more, int? rank)
    {
        using var folder = new TemporaryFolder();
        string output = Train(folder["out"], more);
        var card = CardFile.Open(Path.Combine(output, "card.safetensors"));
        var texts = TrainingExample.Encode(Rows, Encode, EndToken, 1024, []).Select(example => new AlignmentText(example.Ids, example.AnswerStart)).ToList();
        var spread = Enumerable.Range(0, 64).Select(i => texts[i * 100 / 64]).ToList();
        Assert.Equal((1, 1.0, rank, ModelPrint.Of(Opened(output)), ModelPrint.Of(spread), spread.Sum(text => (long)text.Ids.Length)),
            (card.Experts, card.Answers, card.Rank, card.Model, card.Samples, card.Tokens));

        CardRun.Write(folder["again.safetensors"], "again", Opened(output), spread, rank, 1, Checkpoint.Open(Base), cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(File.ReadAllBytes(folder["again.safetensors"]), File.ReadAllBytes(card.Path));
    }

    static int EndToken => (int)Checkpoint.Open(Base).Config["eos_token_id"]!;

    [Fact]
    public void A_merge_of_two_trained_adapters_finds_their_cards_and_aligns()
    {
        using var folder = new TemporaryFolder();
        string[] experts = [Train(folder["one"], "lora: {r: 2}\nseed: 1"), Train(folder["two"], "lora: {r: 2}\nseed: 2")];
        string models = string.Concat(experts.Select(expert => $"- {{model: {Base}+{expert}}}\n"));
        var config = MergeConfig.Parse($"merge_method: recall\nbase_model: {Base}\nmodels:\n{models}", "merge.yaml");
        var options = new MergeOptions { Output = folder["merged"], Threads = 2 };
        Assert.Contains("combine: align: 0 of 2 experts have texts, 2 a card; 'preset: paper' takes the published form", MergeRun.Plan(config, options).Notes);
        MergeRun.Run(config, options, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(2, CardFile.Open(Path.Combine(folder["merged"], "card.safetensors")).Experts);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("none")]
    public void None_is_written_where_none_is_asked_for(string none)
    {
        using var folder = new TemporaryFolder();
        Assert.DoesNotContain(Directory.GetFiles(Train(folder["out"], $"card: {none}")), file => file.Contains("card.", StringComparison.Ordinal));
    }
}
