using Recall.Cli.Terminal;

namespace Recall.Cli.Tests.Terminal;

public class ProgressLineTests
{
    [Fact]
    public void ALogGetsAPlainLineEveryFiveSeconds()
    {
        var clock = new Clock();
        using var log = new StringWriter();
        using (var progress = new ProgressLine(new Screen(TextWriter.Null, log) { Time = clock }))
        {
            for (int second = 1; second <= 12; second++)
            {
                clock.Now += TimeSpan.FromSeconds(1);
                progress.Report("merging", second * 50_000_000L, 1_000_000_000);
            }
        }
        Assert.Equal(
            """
            merging  25 %  250.0 MB of 1.0 GB, 50.0 MB/s, 15 s left
            merging  50 %  500.0 MB of 1.0 GB, 50.0 MB/s, 10 s left

            """, log.ToString());
    }

    [Fact]
    public void ATerminalGetsOneLineThatMovesAndGoes()
    {
        var clock = new Clock();
        using var terminal = new StringWriter();
        using (var progress = new ProgressLine(new Screen(TextWriter.Null, terminal) { Time = clock, ErrorIsTerminal = true, Width = 40 }))
        {
            clock.Now += TimeSpan.FromSeconds(1);
            progress.Report("merging", 100, 1000);
            progress.Report("merging", 200, 1000);
        }
        Assert.Equal("\rmerging  10 %  100 B of 1.0 kB\u001b[K\r\u001b[K", terminal.ToString());
    }

    [Fact]
    public void NoRateIsShownBeforeThereIsOneToMeasure()
    {
        var clock = new Clock();
        using var log = new StringWriter();
        using (var progress = new ProgressLine(new Screen(TextWriter.Null, log) { Time = clock }))
        {
            void At(int seconds, long megabytes)
            {
                clock.Now = TimeSpan.FromSeconds(seconds);
                progress.Report("layer 1", megabytes * 1_000_000, 1_000_000_000);
            }
            At(1, 400);     // what a killed merge had left
            At(6, 401);     // a first tile after forward passes: its rate would give an hour
            At(11, 450);
            At(21, 1000);
        }
        Assert.Equal(
            """
            layer 1  40 %  401.0 MB of 1.0 GB
            layer 1  45 %  450.0 MB of 1.0 GB, 5.0 MB/s, 1 min 50 s left
            layer 1 100 %  1.0 GB of 1.0 GB, 30.0 MB/s

            """, log.ToString());
    }

    [Fact]
    public void AShortWorkShowsNothingAndAQuietScreenNeverDoes()
    {
        var clock = new Clock();
        using var log = new StringWriter();
        using (var progress = new ProgressLine(new Screen(TextWriter.Null, log) { Time = clock })) progress.Report("merging", 10, 10);
        using (var progress = new ProgressLine(new Screen(TextWriter.Null, log) { Time = clock, Quiet = true }))
        {
            clock.Now += TimeSpan.FromHours(1);
            progress.Report("merging", 10, 10);
        }
        Assert.Empty(log.ToString());
    }

    /// <summary>A step that reports nothing for long: the line comes all the same, and tells for how long; after Clear it does not.</summary>
    [Fact]
    public void ALongStepShowsItsTime()
    {
        var clock = new Clock();
        using var log = new StringWriter();
        using (var progress = new ProgressLine(new Screen(TextWriter.Null, log) { Time = clock }))
        {
            progress.Report("reading 500 texts");
            for (int second = 1; second <= 10; second++) clock.Tick(TimeSpan.FromSeconds(1));
            progress.Clear();
            clock.Tick(TimeSpan.FromSeconds(10));
            progress.Report("layer 2 of 8", 0.25);
        }
        clock.Tick(TimeSpan.FromSeconds(10));
        Assert.Equal("reading 500 texts, 5.0 s\nreading 500 texts, 10 s\nlayer 2 of 8, 1 min 00 s left\n", log.ToString());
    }

    sealed class Clock : TimeProvider
    {
        readonly List<Action> _timers = [];

        public TimeSpan Now { get; set; }

        public void Tick(TimeSpan time)
        {
            Now += time;
            _timers.ForEach(call => call());
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _timers.Add(() => callback(state));
            return new Still();
        }

        sealed class Still : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
