using System.Text.RegularExpressions;

namespace Recall.Tests.Rules;

/// <summary>What README promises: two commands, of which the second is the one that .ci/run runs.</summary>
public partial class ReadmeTests
{
    static string Readme => File.ReadAllText(Fixtures.InRepository("README.md"));

    static string[] Commands => ShellBlock().Matches(Readme).SelectMany(block => block.Groups["lines"].Value.Split('\n')).Select(line => line.Trim()).ToArray();

    [Fact]
    public void BothCommandsStandThere()
    {
        Assert.Contains("dotnet run --project src/Recall.Cli -c Release -- demo", Commands);
        Assert.Single(Commands, command => command.StartsWith("dotnet test", StringComparison.Ordinal));
    }

    [Fact]
    public void CiTestsByTheCommandThatReadmeNames()
    {
        string command = Commands.Single(line => line.StartsWith("dotnet test", StringComparison.Ordinal));
        Assert.Contains($"test_command='{command}'", File.ReadAllText(Fixtures.InRepository(".ci", "run")).Split('\n'));
    }

    [Fact]
    public void LinksIntoTheRepositoryLead()
    {
        string[] documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "THIRD-PARTY-NOTICES.md"];
        foreach (string document in documents)
        {
            string folder = Path.GetDirectoryName(Fixtures.InRepository(document))!;
            foreach (Match link in Link().Matches(File.ReadAllText(Fixtures.InRepository(document))))
            {
                string target = link.Groups["target"].Value.Split('#')[0];
                if (target.Length == 0 || target.Contains("://")) continue;
                Assert.True(Path.Exists(Path.Combine(folder, target)), $"{document}: the link to {target} leads nowhere");
            }
        }
    }

    [GeneratedRegex(@"^```(sh|bash)\n(?<lines>.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ShellBlock();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Link();
}
