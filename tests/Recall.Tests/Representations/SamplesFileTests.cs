using System.Text.Json.Nodes;
using Recall.Representations;

namespace Recall.Tests.Representations;

public class SamplesFileTests
{
    [Fact]
    public void FieldsOfTheRowAreKeptAndRowAndClusterSizeAdded()
    {
        using var folder = new TemporaryFolder();
        var fields = (JsonObject)JsonNode.Parse("""{"question": "où ?", "choices": ["a", "b"], "row": "theirs", "text": "x\ny"}""")!;

        SamplesFile.Write(folder["deep", "samples.jsonl"],
        [
            new Sample(3, "où ?\n", [1]) { Fields = fields, ClusterSize = 7 },
            new Sample(9, "bare \"text\"", [1]),
        ]);

        Assert.Equal(
            """
            {"question":"où ?","choices":["a","b"],"row":3,"text":"x\ny","cluster_size":7}
            {"text":"bare \"text\"","row":9,"cluster_size":1}

            """.ReplaceLineEndings("\n"), File.ReadAllText(folder["deep", "samples.jsonl"]));
        Assert.Equal("theirs", (string)fields["row"]!);
    }

    [Fact]
    public void WhatWasWrittenIsKnownAgainAsASelection()
    {
        using var folder = new TemporaryFolder();
        SamplesFile.Write(folder["samples.jsonl"], [new Sample(3, "text", [1]) { ClusterSize = 7 }]);
        var row = JsonNode.Parse(File.ReadAllText(folder["samples.jsonl"]))!.AsObject();

        Assert.True(SamplesFile.IsSelection([new JsonObject { ["text"] = "added by hand" }, row]));
        Assert.Equal(7, SamplesFile.ClusterSize(row));
    }

    [Theory]
    [InlineData("""{"text": "a"}""")]
    [InlineData("""{"text": "a", "row": 3}""")]
    [InlineData("""{"text": "a", "row": "3", "cluster_size": "big"}""")]
    [InlineData("""{"text": "a", "row": -1, "cluster_size": 0}""")]
    public void OrdinaryRowsAreNoSelection(string row)
    {
        Assert.False(SamplesFile.IsSelection([JsonNode.Parse(row)!.AsObject()]));
        Assert.Equal(1, SamplesFile.ClusterSize(JsonNode.Parse(row)!.AsObject()));
    }

    [Fact]
    public void FolderInPlaceOfTheFileIsAnErrorWithThePath()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["samples.jsonl"]);

        var error = Assert.Throws<RecallException>(() => SamplesFile.Write(folder["samples.jsonl"], [new Sample(0, "text", [1])]));

        Assert.StartsWith(folder["samples.jsonl"], error.Message);
    }
}
