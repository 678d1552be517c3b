namespace Recall.Cli.Terminal;

/// <summary>
/// How far a long work is: bytes, rate and time left. One line that moves in a terminal; elsewhere (a log of Slurm, say) a line every five
/// seconds; nothing when the screen is quiet. May be told of progress from any thread.
/// </summary>
/// <param name="screen">Where it is shown.</param>
/// <param name="what">What is done: <c>compare</c>, <c>merge</c>.</param>
/// <param name="total">Bytes in all.</param>
sealed class ProgressLine(Screen screen, string what, long total) : IDisposable
{
    static readonly TimeSpan Moving = TimeSpan.FromMilliseconds(100), Plain = TimeSpan.FromSeconds(5);

    readonly Lock _lock = new();
    readonly long _begin = screen.Time.GetTimestamp();
    TimeSpan _next = screen.ErrorIsTerminal ? Moving : Plain;
    long _done;
    bool _drawn;

    /// <summary>So many more bytes are done.</summary>
    public void Add(long bytes) => Reached(Interlocked.Add(ref _done, bytes));

    /// <summary>So many bytes are done in all.</summary>
    public void Reach(long bytes)
    {
        Interlocked.Exchange(ref _done, bytes);
        Reached(bytes);
    }

    void Reached(long done)
    {
        if (screen.Quiet || !_lock.TryEnter()) return;
        try
        {
            var elapsed = screen.Time.GetElapsedTime(_begin);
            if (elapsed < _next) return;
            _next = elapsed + (screen.ErrorIsTerminal ? Moving : Plain);
            string line = Line(done, elapsed);
            if (screen.ErrorIsTerminal) screen.Error.Write($"\r{Cut(line)}\u001b[K");
            else screen.Error.WriteLine(line);
            _drawn = true;
        }
        finally
        {
            _lock.Exit();
        }
    }

    string Line(long done, TimeSpan elapsed)
    {
        double rate = done / Math.Max(elapsed.TotalSeconds, 1e-3);
        string left = rate > 0 && total > done ? $", {Shown.Duration(TimeSpan.FromSeconds(Math.Min((total - done) / rate, 1e8)))} left" : "";
        double percent = total > 0 ? 100.0 * Math.Min(done, total) / total : 100;
        return $"{what} {percent,3:0} %  {Shown.Bytes(done)} of {Shown.Bytes(total)}, {Shown.Bytes(rate)}/s{left}";
    }

    string Cut(string line) => line.Length < screen.Width ? line : line[..Math.Max(0, screen.Width - 1)];

    /// <summary>Takes the moving line away.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_drawn && screen.ErrorIsTerminal) screen.Error.Write("\r\u001b[K");
        }
    }
}
