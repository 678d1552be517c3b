using Recall.Training;

namespace Recall.Tests.Training;

public class TrainingRowsTests
{
    static IReadOnlyList<PromptAnswer> Read(TemporaryFolder folder, string file, string content, string more = "")
    {
        File.WriteAllText(folder[file], content);
        return TrainingRows.Read(TrainConfig.Parse($"model: m\noutput: o\ndata: {folder[file]}\n{more}", "train.yaml"));
    }

    [Fact]
    public void TheFieldsPromptAndAnswerAreJoinedWithABlankWhereThereIsNone()
    {
        using var folder = new TemporaryFolder();
        var rows = Read(folder, "a.jsonl", """
            {"prompt": "2 + 2 =", "answer": 4}
            {"prompt": "Q\n", "answer": "yes"}
            """);
        Assert.Equal([new("2 + 2 =", " 4"), new("Q\n", "yes")], rows);
    }

    [Fact]
    public void TemplatesOfTheConfigAreTakenAsTheyAre()
    {
        using var folder = new TemporaryFolder();
        var rows = Read(folder, "a.csv", "question,options\nwhy,b\n", "prompt: \"Q: {{question}}\\nA:\"\nanswer: \" {{options | upper}}\"\n");
        Assert.Equal([new("Q: why\nA:", " B")], rows);
    }

    [Fact]
    public void ATaskFileNamesDataPromptAndAnswer()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["rows.jsonl"], """{"text": "good film", "label": 1}""" + "\n");
        string task = $$$"""
            task: t
            dataset_path: json
            dataset_kwargs: {data_files: {train: {{{folder["rows.jsonl"]}}}}}
            training_split: train
            output_type: multiple_choice
            description: "Judge.\n"
            doc_to_text: "{{text}} is"
            doc_to_target: label
            doc_to_choice: [bad, good]
            """;
        Assert.Equal([new("Judge.\ngood film is", " good")], Read(folder, "task.yaml", task));
        Assert.Equal([new("Judge.\ngood film is", " 1!")], Read(folder, "task.yaml", task, "answer: \" {{label}}!\""));
    }

    [Fact]
    public void WhatIsMissingIsNamed()
    {
        using var folder = new TemporaryFolder();
        string Message(string content, string more = "") => Assert.ThrowsAny<RecallException>(() => Read(folder, "a.jsonl", content, more)).Message;
        Assert.Contains("row 1 has no field 'answer'", Message("""{"prompt": "p", "solution": "s"}"""));
        Assert.Contains("row 2 has no answer", Message("{\"prompt\": \"p\", \"answer\": \"s\"}\n{\"prompt\": \"p\", \"answer\": null}"));
        Assert.Contains("there is no 'solutoin' in the row", Message("""{"prompt": "p", "solution": "s"}""", "answer: \"{{solutoin}}\""));
        Assert.Contains("key 'data' is missing", Assert.Throws<ConfigurationException>(() => TrainingRows.Read(TrainConfig.Parse("{model: m, output: o}", "t.yaml"))).Message);
    }
}
