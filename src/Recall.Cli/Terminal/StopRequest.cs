namespace Recall.Cli.Terminal;

/// <summary>
/// Ctrl-C, or SIGTERM: the first one asks the command to stop, a second one ends the process at once. Where a step goes on for more than half a second all the
/// same (a decomposition inside libtorch cannot be stopped), the user is told so.
/// </summary>
sealed class StopRequest(Screen screen) : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    readonly CancellationTokenSource _source = new();
    ITimer? _timer;

    /// <summary>Asked to stop.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Asks.</summary>
    /// <returns>False where that was done before: the process is to end.</returns>
    public bool Ask()
    {
        if (_source.IsCancellationRequested) return false;
        _timer = screen.Time.CreateTimer(_ => Tell(), null, Patience, Timeout.InfiniteTimeSpan);
        _source.Cancel();
        return true;
    }

    void Tell() => screen.Error.WriteLine($"{(screen.ErrorIsTerminal ? "\r\u001b[K" : "")}recall: stopping after the step at work; again Ctrl-C ends at once");

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer?.Dispose();
        _source.Dispose();
    }
}
