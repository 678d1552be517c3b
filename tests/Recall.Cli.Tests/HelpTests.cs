namespace Recall.Cli.Tests;

public class HelpTests
{
    public static TheoryData<string> Commands => [.. RecallCommand.Verbs().Select(verb => verb.Name)];

    [Fact]
    public void TheListOfCommandsIsWhatABareRecallShows()
    {
        var help = Session.Run("--help");
        Expected.Match("help.txt", help.Out);
        Assert.Equal(help, Session.Run());
        Assert.Equal(0, help.ExitCode);
    }

    [Fact]
    public void EachCommandIsFoundByItsName() =>
        Assert.Equal(RecallCommand.Table.Select(row => row.Name), RecallCommand.Verbs().Select(verb => verb.Name));

    [Theory, MemberData(nameof(Commands))]
    public void EachCommandHasHelp(string command)
    {
        var help = Session.Run(command, "--help");
        Expected.Match($"help-{command}.txt", help.Out);
        Assert.Equal(0, help.ExitCode);
        Assert.Empty(help.Error);
    }

    [Theory, MemberData(nameof(Commands))]
    public void EachCommandHasAnExampleThatItsParserTakes(string command)
    {
        var verb = RecallCommand.Verbs().Single(verb => verb.Name == command);
        Assert.NotEmpty(verb.Examples);
        foreach (string example in verb.Examples)
        {
            string line = example.Split(" | ")[0].Split(" > ")[0].Split(" && ")[0];
            Assert.StartsWith($"recall {command}", line, StringComparison.Ordinal);
            Assert.Empty(verb.Parse(line["recall ".Length..].Replace(command + " ", "")).Errors);
        }
    }

    [Theory, MemberData(nameof(Commands))]
    public void EachOptionIsDescribed(string command)
    {
        var verb = RecallCommand.Verbs().Single(verb => verb.Name == command);
        Assert.All(verb.Options, option => Assert.False(string.IsNullOrWhiteSpace(option.Description), option.Name));
        Assert.All(verb.Arguments, argument => Assert.False(string.IsNullOrWhiteSpace(argument.Description), argument.Name));
    }
}
