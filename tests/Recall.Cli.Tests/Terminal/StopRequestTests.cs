using Recall.Cli.Terminal;

namespace Recall.Cli.Tests.Terminal;

/// <summary>What Ctrl-C does to a command whose step at work goes on.</summary>
public class StopRequestTests
{
    [Theory, InlineData(false, ""), InlineData(true, "\r\u001b[K")]
    public void WhoWaitsIsToldSo(bool terminal, string before)
    {
        var (clock, error) = (new Clock(), new StringWriter());
        using var request = new StopRequest(new Screen(TextWriter.Null, error) { Time = clock, ErrorIsTerminal = terminal });
        Assert.False(request.Token.IsCancellationRequested);
        Assert.Null(clock.Due);
        Assert.True(request.Ask());
        Assert.True(request.Token.IsCancellationRequested);
        Assert.Equal("", error.ToString());
        Assert.Equal(TimeSpan.FromMilliseconds(500), clock.Due);
        clock.Call!(null);
        Assert.Equal($"{before}recall: stopping after the step at work; again Ctrl-C ends at once{error.NewLine}", error.ToString());
        Assert.False(request.Ask());
    }

    [Fact]
    public void WhoHasStoppedIsNotTold()
    {
        var clock = new Clock();
        using (var request = new StopRequest(new Screen(TextWriter.Null, TextWriter.Null) { Time = clock })) request.Ask();
        Assert.True(clock.IsDisposed);
    }

    sealed class Clock : TimeProvider, ITimer
    {
        public TimeSpan? Due { get; private set; }

        public TimerCallback? Call { get; private set; }

        public bool IsDisposed { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (Due, Call) = (dueTime, callback);
            Assert.Equal(Timeout.InfiniteTimeSpan, period);
            return this;
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose() => IsDisposed = true;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
