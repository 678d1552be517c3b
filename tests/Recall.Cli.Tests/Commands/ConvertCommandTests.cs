namespace Recall.Cli.Tests.Commands;

public class ConvertCommandTests
{
    [Fact]
    public void AModelComesOutWithTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["a"], 1);
        File.WriteAllText(folder["a", "tokenizer.json"], "{}");
        var run = Session.Run("convert", folder["a"], folder["b"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.EndsWith("\nequal\n", Session.Run("diff", folder["a"], folder["b"]).Out, StringComparison.Ordinal);
        Assert.Equal(
            ["config.json", "model.safetensors", "recall.json", "tokenizer.json"],
            Directory.GetFiles(folder["b"]).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TypesChangeOnDemand()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["a"], 1);
        Assert.Equal(0, Session.Run("convert", folder["a"], folder["b"], "--dtype", "bfloat16").ExitCode);
        var diff = Session.Run("diff", folder["a"], folder["b"], "--tolerance", "0.002");
        Assert.Equal(0, diff.ExitCode);
        Assert.Contains("21 of 21 tensors are kept in different types\n", diff.Out, StringComparison.Ordinal);
        Assert.Contains("\"torch_dtype\": \"bfloat16\"", File.ReadAllText(folder["b", "config.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public void ABareFileIsAModelToo()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["a"], 1);
        var run = Session.Run("convert", folder["a", "model.safetensors"], folder["b"]);
        Assert.Equal((0, "note: a bare file of weights has no config.json, so neither has the output\n"), (run.ExitCode, run.Error));
        Assert.Equal(0, Session.Run("diff", folder["a"], folder["b", "model.safetensors"]).ExitCode);
    }

    [Fact]
    public void AnAdapterComesOutMerged()
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder["a"], 1);
        TinyModel.WriteAdapter(folder["adapter"], 2);
        string both = $"{folder["a"]}+{folder["adapter"]}";
        Assert.Equal(0, Session.Run("convert", both, folder["merged"]).ExitCode);
        Assert.Equal(0, Session.Run("diff", both, folder["merged"]).ExitCode);
        var against = Session.Run("diff", folder["a"], folder["merged"], "--tensors");
        Assert.Equal(1, against.ExitCode);
        Assert.Contains("(2 of 21 tensors differ", against.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--dtype", "bfloat1", "recall: --dtype 'bfloat1': is no type of weights; did you mean 'bfloat16'?")]
    [InlineData("--dtype", "int64", "recall: --dtype 'int64': is no type of weights; known: ")]
    [InlineData("--out-shard-size", "1.5B", "recall: --out-shard-size '1.5B': a whole number with K, M or B is expected, such as 5B or 500M")]
    public void BadOptionsSayWhatIsMeant(string option, string value, string message)
    {
        var run = Session.Run("convert", "a", "b", option, value);
        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith(message, run.Error, StringComparison.Ordinal);
    }
}
