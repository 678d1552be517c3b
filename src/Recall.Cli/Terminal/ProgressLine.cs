namespace Recall.Cli.Terminal;

/// <summary>
/// How far a long work is: bytes, rate and time left. One line that moves in a terminal; elsewhere (a log of Slurm, say) a line every five
/// seconds; nothing when the screen is quiet. May be told of progress from any thread.
/// </summary>
sealed class ProgressLine(Screen screen) : IDisposable
{
    static readonly TimeSpan Moving = TimeSpan.FromMilliseconds(100), Plain = TimeSpan.FromSeconds(5);

    readonly Lock _lock = new();
    readonly long _begin = screen.Time.GetTimestamp();
    TimeSpan _next = screen.ErrorIsTerminal ? Moving : Plain;
    bool _drawn;

    /// <summary>Tells how far a stage is.</summary>
    /// <param name="stage">What is done: <c>comparing</c>, <c>layer 3 of 30</c>.</param>
    /// <param name="done">Bytes that are done.</param>
    /// <param name="total">Bytes in all.</param>
    public void Report(string stage, long done, long total) => Report(elapsed => Line(stage, done, total, elapsed));

    /// <summary>Tells how far work is whose steps are counted.</summary>
    /// <param name="done">Steps that are done.</param>
    /// <param name="count">Steps in all.</param>
    /// <param name="what">What they are: <c>new rows</c>.</param>
    public void Report(long done, long count, string what) => Report(elapsed =>
    {
        string left = done > 0 && count > done ? $", {Shown.Duration(elapsed * ((double)(count - done) / done))} left" : "";
        return $"{Shown.Count(done)} of {Shown.Count(count)} {what}{left}";
    });

    /// <summary>Tells how far work without bytes is.</summary>
    public void Report(string line) => Report(_ => line);

    void Report(Func<TimeSpan, string> describe)
    {
        if (screen.Quiet || !_lock.TryEnter()) return;
        try
        {
            var elapsed = screen.Time.GetElapsedTime(_begin);
            if (elapsed < _next) return;
            _next = elapsed + (screen.ErrorIsTerminal ? Moving : Plain);
            string line = describe(elapsed);
            if (screen.ErrorIsTerminal) screen.Error.Write($"\r{Cut(line)}\u001b[K");
            else screen.Error.WriteLine(line);
            _drawn = true;
        }
        finally
        {
            _lock.Exit();
        }
    }

    static string Line(string stage, long done, long total, TimeSpan elapsed)
    {
        double rate = done / Math.Max(elapsed.TotalSeconds, 1e-3);
        var remaining = TimeSpan.FromSeconds(Math.Min((total - done) / Math.Max(rate, 1e-3), 1e8));
        string left = rate > 0 && total > done ? $", {Shown.Duration(remaining)} left" : "";
        double percent = 100.0 * Math.Min(done, total) / Math.Max(total, 1);
        return $"{stage} {percent,3:0} %  {Shown.Bytes(done)} of {Shown.Bytes(total)}, {Shown.Bytes(rate)}/s{left}";
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
