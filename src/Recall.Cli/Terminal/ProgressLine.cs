namespace Recall.Cli.Terminal;

/// <summary>
/// How far a long work is: bytes, and rate and time left once a hundredth of it has been seen to be done. One line that moves in a terminal;
/// elsewhere (a log of Slurm, say) a line every five seconds; nothing when the screen is quiet. The line is drawn again while nothing is reported, so that a long step shows its time. May be told of
/// progress from any thread.
/// </summary>
sealed class ProgressLine : IDisposable
{
    const double LeastShare = 0.01;     // of the bytes: fewer say nothing of what is to come

    static readonly TimeSpan Moving = TimeSpan.FromMilliseconds(100), Idle = TimeSpan.FromSeconds(1), Plain = TimeSpan.FromSeconds(5);

    readonly Screen _screen;
    readonly Lock _lock = new();
    readonly long _begin;
    readonly ITimer? _timer;
    Func<TimeSpan, string>? _describe;
    TimeSpan _next;
    bool _drawn;
    (TimeSpan Time, long Done)? _first;     // told first: an interrupted merge that goes on begins with the bytes it has

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
    public void Report(string stage, long done, long total) => Report(elapsed => Line(stage, done, total, elapsed), done);

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

    void Report(Func<TimeSpan, string> describe, long done = 0)
    {
        if (_screen.Quiet || !_lock.TryEnter()) return;
        try
        {
            _describe = describe;
            if (_first is null || done < _first.Value.Done) _first = (_screen.Time.GetElapsedTime(_begin), done);
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

    string Line(string stage, long done, long total, TimeSpan elapsed) =>
        $"{stage} {100.0 * Math.Min(done, total) / Math.Max(total, 1),3:0} %  {Shown.Bytes(done)} of {Shown.Bytes(total)}{Rate(done, total, elapsed)}";

    string Rate(long done, long total, TimeSpan elapsed)
    {
        var (time, bytes) = (elapsed - _first!.Value.Time, done - _first.Value.Done);
        if (time < Idle || bytes < Math.Max(total * LeastShare, 1)) return "";
        double rate = bytes / time.TotalSeconds;
        string left = total > done ? $", {Shown.Duration(TimeSpan.FromSeconds(Math.Min((total - done) / rate, 1e8)))} left" : "";
        return $", {Shown.Bytes(rate)}/s{left}";
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
