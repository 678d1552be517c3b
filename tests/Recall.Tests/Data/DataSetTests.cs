using Recall.Data;

namespace Recall.Tests.Data;

/// <summary>Rows of small files, and what broken ones are told.</summary>
public class DataSetTests
{
    [Theory]
    [InlineData("a.jsonl", "{\"text\":\"x\",\"n\":1.0}\n\n{\"text\":\"\\u00e9\"}\r\n", "{\"text\":\"x\",\"n\":1.0}|{\"text\":\"\\u00E9\"}")]
    [InlineData("a.jsonl", "\uFEFF{\"a\":1,\"a\":NaN}", "{\"a\":\"NaN\"}")]
    [InlineData("a.json", "[{\"a\":1},\n{\"a\":2}]", "{\"a\":1}|{\"a\":2}")]
    [InlineData("a.json", "{\"version\":1,\"data\":[{\"a\":1}]}", "{\"a\":1}")]
    [InlineData("a.json", "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}|{\"a\":2}")]
    [InlineData("a.csv", "a,b\r\n\"x,\"\"1\"\"\",\"two\nlines\"\r\n\r\n,2", "{\"a\":\"x,\\u00221\\u0022\",\"b\":\"two\\nlines\"}|{\"a\":\"\",\"b\":\"2\"}")]
    [InlineData("a.tsv", "a\tb\n1\t2\n", "{\"a\":\"1\",\"b\":\"2\"}")]
    [InlineData("a.txt", "one\n  \ntwo", "{\"text\":\"one\"}|{\"text\":\"two\"}")]
    [InlineData("a.jsonl", "", "")]
    public void RowsAreRead(string name, string content, string rows)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[name], content);
        Assert.Equal(rows, string.Join('|', DataSet.Read(folder[name]).Select(row => row.Fields.ToJsonString())));
    }

    [Theory]
    [InlineData("a.jsonl", "{\"a\":1}\n{\"a\":}", ":2:6: is not valid JSON")]
    [InlineData("a.jsonl", "{\"a\":1}\n[1]", ":2: a row must be an object")]
    [InlineData("a.json", "[1]", "row 1 must be an object")]
    [InlineData("a.csv", "a,b\n1\n", ":2: the row has 1 fields, the header has 2")]
    [InlineData("a.csv", "a,a\n", ":1: column 'a' stands twice")]
    [InlineData("a.csv", "a\n\"x", ":2: a quoted field is not closed")]
    [InlineData("a.csv", "", "is empty")]
    [InlineData("a.doc", "", "no known data file")]
    [InlineData("a.parquet", "a,b\n1,2\n3,4\n", "no PAR1")]
    [InlineData("a.jsonl.gz", "plain", "gzip")]
    public void BrokenFilesAreRefusedWithLineAndReason(string name, string content, string reason)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[name], content);
        var error = Assert.Throws<RecallException>(() => DataSet.Read(folder[name]).ToList());
        Assert.StartsWith(folder[name], error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void BytesThatAreNoUtf8AreNamedByLineAndOffset()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a.txt"], [.. "ab\nc"u8, 0xE9, .. "\n"u8]);
        Assert.Contains(":2: is not UTF-8 (byte 4 of the file is 0xE9)", Assert.Throws<RecallException>(() =>
            DataSet.Read(folder["a.txt"]).ToList()).Message);
    }

    [Fact]
    public void LinesAreTheSameWhereverTheBufferEnds()
    {
        using var folder = new TemporaryFolder();
        for (int length = 65_530; length < 65_542; length++)
        {
            string first = new('x', length);
            File.WriteAllText(folder["a.txt"], $"\uFEFF{first}\né{first}\r\nz");
            Assert.Equal([first, "é" + first, "z"], DataSet.Read(folder["a.txt"]).Select(row => (string)row.Fields["text"]!));
        }
    }
}
