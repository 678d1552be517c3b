using Recall.Checkpoints;
using Recall.Evaluation;

namespace Recall.Tests.Evaluation;

public class EvaluationSetTests
{
    static string Task(string name) => Fixtures.Path("lm-eval", "tasks", $"{name}.yaml");

    static EvaluationSet Rows(params string[] lines)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["rows.jsonl"], lines);
        return EvaluationSet.Read(folder["rows.jsonl"]);
    }

    [Fact]
    public void RowsOfPromptAndAnswerHaveABlankBetweenThem()
    {
        var set = Rows("""{"prompt": "2 + 2 =", "answer": 4}""", """{"prompt": "Say:\n", "answer": "yes"}""", """{"prompt": "", "answer": "Hello"}""");
        Assert.Equal(("rows", EvaluationKind.Answer), (set.Name, set.Kind));
        Assert.Equal([("2 + 2 =", " 4"), ("Say:\n", "yes"), ("", "Hello")], set.Rows.Select(row => row.Requests.Single()));
    }

    [Theory]
    [InlineData("""{"prompt": "a"}""", "row 1 has no field 'answer'")]
    [InlineData("""{"prompt": "a", "answer": " "}""", "row 1: its answer is empty")]
    [InlineData("", "holds no rows")]
    public void RowsWithoutAnswerAreNamed(string line, string message) =>
        Assert.Contains(message, Assert.Throws<RecallException>(() => Rows(line)).Message, StringComparison.Ordinal);

    [Fact]
    public void OfATextToGenerateTheRightAnswerIsScored()
    {
        var set = EvaluationSet.Read(Task("gen_until"), limit: 2);
        Assert.Equal((EvaluationKind.Answer, 2), (set.Kind, set.Rows.Length));
        Assert.All(set.Rows, row => Assert.StartsWith("Question: ", row.Requests.Single().Context, StringComparison.Ordinal));
    }

    [Fact]
    public void TheSplitIsTestUnlessAnotherIsAskedFor()
    {
        Assert.NotEqual(EvaluationSet.Read(Task("mc_fields")).Rows[0].Requests[0], EvaluationSet.Read(Task("mc_fields"), "training").Rows[0].Requests[0]);
        var error = Assert.Throws<ConfigurationException>(() => EvaluationSet.Read(Task("mc_fields"), "validation"));
        Assert.Contains("names no validation_split", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATaskWithExamplesInItsPromptIsRefused() => Assert.Contains(
        "num_fewshot is", Assert.Throws<ConfigurationException>(() => EvaluationSet.Read(Task("shots_default"))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(0.0)]
    [InlineData(-1.0)]
    public void ALimitBelowOneRowIsRefused(double limit) =>
        Assert.Contains("limit", Assert.Throws<RecallException>(() => EvaluationSet.Read(Task("mc_fields"), limit: limit)).Message, StringComparison.Ordinal);

    [Fact]
    public void EmptyChoicesAndOtherFilesAreRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["rows.jsonl"], """{"q": "a", "c": ["x", ""]}""");
        File.WriteAllText(folder["task.yaml"],
            "dataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\noutput_type: multiple_choice\n"
            + "doc_to_text: q\ndoc_to_target: 0\ndoc_to_choice: c\n");
        Assert.Contains("row 1: its choice 2 is empty", Assert.Throws<RecallException>(() => EvaluationSet.Read(folder["task.yaml"])).Message, StringComparison.Ordinal);
        Assert.Contains("neither a task file", Assert.Throws<RecallException>(() => EvaluationSet.Read(folder["model.bin"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AModelWithoutTokenizerIsRefused()
    {
        var model = Checkpoint.Open(Fixtures.Path("lm-eval", "model"));
        var bare = new Checkpoint(model.Path, model.Config, model.Tensors, []);
        var error = Assert.Throws<RecallException>(() => ModelEvaluation.Prepare("bare", bare, new(), [EvaluationSet.Read(Task("mc_fields"))]));
        Assert.Contains("has no tokenizer.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAnswerThatIsTooLongIsNamedWithItsRow()
    {
        var model = Checkpoint.Open(Fixtures.Path("lm-eval", "model"));
        var set = Rows("""{"prompt": "a", "answer": "b"}""", """{"prompt": "a", "answer": "one two three four five six seven"}""");
        var error = Assert.Throws<RecallException>(() => ModelEvaluation.Prepare("tiny", model, new() { MaxLength = 3 }, [set]));
        Assert.Contains("rows.jsonl: row 2: an answer has ", error.Message, StringComparison.Ordinal);
    }
}
