using Recall.Data;
using Recall.Data.Tasks;

namespace Recall.Tests.Data;

/// <summary>Texts out of data files and task files.</summary>
public class SampleTextsTests
{
    const string Task = """
        task: colours
        dataset_path: json
        dataset_kwargs: {data_files: {train: rows.jsonl}}
        training_split: train
        output_type: multiple_choice
        doc_to_text: "Q: {{question}}\nA:"
        doc_to_target: label
        doc_to_choice: [red, blue]
        metric_list: [{metric: acc}]
        some_key_of_mine: 1
        """;

    [Fact]
    public void TextComesFromTheFieldTextOrATemplate()
    {
        using var folder = Folder("{\"text\":\"one\",\"answer\":\"yes\"}\n{\"text\":\"two\",\"ids\":[1,2]}");
        var texts = SampleTexts.Read(folder["rows.jsonl"]);
        Assert.Equal([(1, "one", "yes"), (2, "two", null)], texts.Select(text => (text.Row, text.Text, text.Answer)));
        Assert.Equal([1, 2], texts[1].Ids!);
        Assert.Equal("<one>", SampleTexts.Read(folder["rows.jsonl"], "<{{text}}>", most: 1).Single().Text);
    }

    [Fact]
    public void TaskFileGivesItsPromptsWithTheRightAnswer()
    {
        using var folder = Folder("{\"question\":\"sky?\",\"label\":1}\n{\"question\":\"blood?\",\"label\":0}");
        File.WriteAllText(folder["task.yaml"], Task);
        Assert.Equal([("Q: sky?\nA:", " blue"), ("Q: blood?\nA:", " red")], SampleTexts.Read(folder["task.yaml"]).Select(text =>
            (text.Text, text.Answer!)));
        Assert.Equal("sky?", SampleTexts.Read(folder["task.yaml"], "{{question}}")[0].Text);

        var task = EvaluationTask.Read(folder["task.yaml"]);
        Assert.Contains("some_key_of_mine", Assert.Single(task.Notes));
        var example = task.Example(task.Rows("training")[0]);
        Assert.Equal([" red", " blue"], example.Continuations);
        Assert.Equal([1], example.Gold);
        Assert.Contains("test_split", Assert.Throws<ConfigurationException>(() => task.Rows("test")).Message);
    }

    [Theory]
    [InlineData("{\"sentence\":\"a\"}", null, "row 1 has no field 'text'; its fields are 'sentence'")]
    [InlineData("{\"text\":\"a\"}\n{\"text\":\" \\n\"}", null, "the text of row 2 is blank")]
    [InlineData("{\"text\":\"a\",\"ids\":[1,-2]}", null, "'ids' of row 1")]
    [InlineData("{\"text\":\"a\"}", "{{texts}}", "there is no 'texts' in the row; its fields are 'text'; did you mean 'text'?")]
    [InlineData("{\"text\":\"a\"}", "{% if %}", "recall.text: the template, line 1")]
    public void WhatGivesNoTextIsRefusedWithItsRow(string rows, string? template, string reason)
    {
        using var folder = Folder(rows);
        Assert.Contains(reason, Assert.Throws<RecallException>(() =>
            SampleTexts.Read(folder["rows.jsonl"], template, "recall.text")).Message);
    }

    [Fact]
    public void PythonListsAreReadAsPrinted()
    {
        Assert.True(PythonLiteral.TryParse("['a', \"it's\", 1, -2.5, True, None, ('x',), {'k': [1]}, '\\n\\xe9']", out var value));
        Assert.Equal("""["a","it\u0027s",1,-2.5,true,null,["x"],{"k":[1]},"\n\u00E9"]""", value!.ToJsonString());
        foreach (string broken in new[] { "", "[", "['a'", "['a' 'b']", "[a]", "['\\ud800']", "[1] 2", new string('[',
            1000) }) Assert.False(PythonLiteral.TryParse(broken, out _), broken);
    }

    static TemporaryFolder Folder(string rows)
    {
        var folder = new TemporaryFolder();
        File.WriteAllText(folder["rows.jsonl"], rows);
        return folder;
    }
}
