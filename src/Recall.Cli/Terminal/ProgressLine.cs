namespace Recall.Cli.Terminal;

/// <summary>
/// How far a long work is: bytes, rate and time left. One line that moves in a terminal; elsewhere (a log of Slurm, say) a line every five
/// seconds; nothing when the screen is quiet. The line is drawn again while nothing is reported, so that a long step shows its time. May be told of
/// progress from any thread.
/// </summary>
sealed class ProgressLine : IDisposable
{
    static readonly TimeSpan Moving = TimeSpan.FromMilliseconds(100), Idle = TimeSpan.FromSeconds(1), Plain = TimeSpan.FromSeconds(5);

    readonly Screen _screen;
    readonly Lock _lock = new();
    readonly long _begin;
    readonly ITimer? _timer;
    Func<TimeSpan, string>? _describe;
    TimeSpan _next;
    bool _drawn;

    public ProgressLine(Screen screen)
    {
        _screen = screen;
        _begin = screen.Time.GetTimestamp();
        _next = Interval;
        var idle = screen.ErrorIsTerminal ? Idle : Plain;
        if (!screen.Quiet) _timer = screen.Time.CreateTimer(_ => DrawAgain(), null, idle, idle);
    }

    TimeSpan Interval => _screen.ErrorIsTerminal ? Moving : Plain;

    /// <summary>Tells how far a stage is.</summary>
    /// <param name="stage">What is done: <c>comparing</c>, <c>layer 3 of 30</c>.</param>
    /// <param name="done">Bytes that are done.</param>
    /// <param name="total">Bytes in all.</param>
    public void Report(string stage, long done, long total) => Report(elapsed => Line(stage, done, total, elapsed));

    /// <summary>Tells how far work without bytes is.</summary>
    /// <param name="stage">What is done: <c>layer 3 of 30</c>.</param>
    /// <param name="share">Of the whole work what is done, 0 … 1.</param>
    public void Report(string stage, double share) =>
        Report(elapsed => share > 0 && share < 1 ? $"{stage}, {Shown.Duration(elapsed * ((1 - share) / share))} left" : stage);

    /// <summary>Tells what is done, of which nobody knows how long it takes: the line shows for how long it has.</summary>
    public void Report(string line)
    {
        var since = _screen.Time.GetElapsedTime(_begin);
        Report(elapsed => elapsed - since < Idle ? line : $"{line}, {Shown.Duration(elapsed - since)}");
    }

    void Report(Func<TimeSpan, string> describe)
    {
        if (_screen.Quiet || !_lock.TryEnter()) return;
        try
        {
            _describe = describe;
            Draw();
        }
        finally
        {
            _lock.Exit();
        }
    }

    void DrawAgain()
    {
        lock (_lock)
        {
            if (_describe is not null) Draw();
        }
    }

    void Draw()
    {
        var elapsed = _screen.Time.GetElapsedTime(_begin);
        if (elapsed < _next) return;
        _next = elapsed + Interval;
        string line = _describe!(elapsed);
        if (_screen.ErrorIsTerminal) _screen.Error.Write($"\r{Cut(line)}\u001b[K");
        else _screen.Error.WriteLine(line);
        _drawn = true;
    }

    static string Line(string stage, long done, long total, TimeSpan elapsed)
    {
        double rate = done / Math.Max(elapsed.TotalSeconds, 1e-3);
        var remaining = TimeSpan.FromSeconds(Math.Min((total - done) / Math.Max(rate, 1e-3), 1e8));
        string left = rate > 0 && total > done ? $", {Shown.Duration(remaining)} left" : "";
        double percent = 100.0 * Math.Min(done, total) / Math.Max(total, 1);
        return $"{stage} {percent,3:0} %  {Shown.Bytes(done)} of {Shown.Bytes(total)}, {Shown.Bytes(rate)}/s{left}";
    }

    string Cut(string line) => line.Length < _screen.Width ? line : line[..Math.Max(0, _screen.Width - 1)];

    /// <summary>Takes the moving line away, until there is more to tell.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _describe = null;
            if (_drawn && _screen.ErrorIsTerminal) _screen.Error.Write("\r\u001b[K");
            _drawn = false;
        }
    }

    /// <summary>Takes the moving line away.</summary>
    public void Dispose()
    {
        _timer?.Dispose();
        Clear();
    }
}
