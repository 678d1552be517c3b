using Recall.Cli.Demo;

namespace Recall.Cli.Tests.Demo;

public class DemoWordsTests
{
    [Theory, InlineData(0), InlineData(1), InlineData(-5), InlineData(int.MaxValue)]
    public void WordsThatJudgeWereNeverLearntFrom(int seed)
    {
        var words = DemoWords.Draw(seed);
        Assert.Equal(DemoWords.TrainingCount, words.Training.Distinct().Count());
        Assert.Equal(DemoWords.HeldOutCount, words.HeldOut.Distinct().Count());
        Assert.Empty(words.Training.Intersect(words.HeldOut));
        Assert.Equal(words.HeldOut, DemoWords.Draw(seed).HeldOut);
        Assert.Equal(DemoWords.Draw(0).Training, words.Training);
        Assert.All(words.HeldOut, word => Assert.Matches("^[a-z]{3,5}$", word));
    }

    [Fact]
    public void TasksGiveDifferentAnswersForOneWord() =>
        Assert.Equal(["fikab", "abfik", "BAKIF", "delog"], DemoTask.All.Select(task => task.Answer("bakif")));
}
