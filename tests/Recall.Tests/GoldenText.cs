namespace Recall.Tests;

/// <summary>
/// Text that a reviewer reads in the diff: tests/fixtures/golden/NAME. With RECALL_UPDATE_GOLDEN=1 the file is written anew and the test passes.
/// </summary>
static class GoldenText
{
    /// <summary>Fails where the text is not that of the file.</summary>
    public static void Match(string name, string text)
    {
        string path = Fixtures.Path("golden", name);
        text = text.ReplaceLineEndings("\n").TrimEnd('\n') + "\n";
        if (Environment.GetEnvironmentVariable("RECALL_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
            return;
        }
        string expected = File.Exists(path) ? File.ReadAllText(path).ReplaceLineEndings("\n") : "";
        if (expected == text) return;
        string[] before = expected.Split('\n'), now = text.Split('\n');
        var lines = before.Except(now).Select(line => "- " + line).Concat(now.Except(before).Select(line => "+ " + line)).Take(40).ToList();
        Assert.Fail($"""
            tests/fixtures/golden/{name} says otherwise:
            {(lines.Count == 0 ? "(the same lines in another order)" : string.Join('\n', lines))}
            If that is meant, run the test with RECALL_UPDATE_GOLDEN=1 and read the difference in git.
            """);
    }
}
