namespace Recall.Cli.Terminal;

/// <summary>
/// How far a long work is: bytes, and rate and time left once a hundredth of it has been seen to be done. One line that moves in a terminal;
/// elsewhere (a log of Slurm, say) a line every five seconds; nothing when the screen is quiet. May be told of progress from any thread.
/// </summary>
sealed class ProgressLine(Screen screen) : IDisposable
{
    const double LeastShare = 0.01;     // of the bytes: fewer say nothing of what is to come

    static readonly TimeSpan Moving = TimeSpan.FromMilliseconds(100), Plain = TimeSpan.FromSeconds(5), LeastTime = TimeSpan.FromSeconds(1);

    readonly Lock _lock = new();
    readonly long _begin = screen.Time.GetTimestamp();
    TimeSpan _next = screen.ErrorIsTerminal ? Moving : Plain;
    bool _drawn;
    (TimeSpan Time, long Done)? _first;     // told first: an interrupted merge that goes on begins with the bytes it has

    /// <summary>Tells how far a stage is.</summary>
    /// <param name="stage">What is done: <c>comparing</c>, <c>layer 3 of 30</c>.</param>
    /// <param name="done">Bytes that are done.</param>
    /// <param name="total">Bytes in all.</param>
    public void Report(string stage, long done, long total) => Report(elapsed =>
    {
        if (_first is null || done < _first.Value.Done) _first = (elapsed, done);
        if (elapsed < _next) return null;
        return $"{stage} {100.0 * Math.Min(done, total) / Math.Max(total, 1),3:0} %  {Shown.Bytes(done)} of {Shown.Bytes(total)}{Rate(elapsed, done, total)}";
    });

    /// <summary>Tells how far work without bytes is.</summary>
    public void Report(string line) => Report(elapsed => elapsed < _next ? null : line);

    void Report(Func<TimeSpan, string?> describe)
    {
        if (screen.Quiet || !_lock.TryEnter()) return;
        try
        {
            var elapsed = screen.Time.GetElapsedTime(_begin);
            if (describe(elapsed) is not { } line) return;
            _next = elapsed + (screen.ErrorIsTerminal ? Moving : Plain);
            if (screen.ErrorIsTerminal) screen.Error.Write($"\r{Cut(line)}\u001b[K");
            else screen.Error.WriteLine(line);
            _drawn = true;
        }
        finally
        {
            _lock.Exit();
        }
    }

    string Rate(TimeSpan elapsed, long done, long total)
    {
        var (time, bytes) = (elapsed - _first!.Value.Time, done - _first.Value.Done);
        if (time < LeastTime || bytes < Math.Max(total * LeastShare, 1)) return "";
        double rate = bytes / time.TotalSeconds;
        string left = total > done ? $", {Shown.Duration(TimeSpan.FromSeconds(Math.Min((total - done) / rate, 1e8)))} left" : "";
        return $", {Shown.Bytes(rate)}/s{left}";
    }

    string Cut(string line) => line.Length < screen.Width ? line : line[..Math.Max(0, screen.Width - 1)];

    /// <summary>Takes the moving line away, until there is more to tell.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            if (_drawn && screen.ErrorIsTerminal) screen.Error.Write("\r\u001b[K");
            _drawn = false;
        }
    }

    /// <summary>Takes the moving line away.</summary>
    public void Dispose() => Clear();
}
