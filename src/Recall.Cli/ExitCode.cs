namespace Recall.Cli;

/// <summary>What the process returns.</summary>
static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Done = 0;

    /// <summary>Failed: a file missing or broken, a disk full, two models that differ; or a defect of Recall.</summary>
    public const int Failed = 1;

    /// <summary>Asked for something that cannot be: bad options, bad config.</summary>
    public const int BadUsage = 2;

    /// <summary>Stopped by Ctrl-C or SIGTERM, as shells expect it.</summary>
    public const int Stopped = 130;
}
