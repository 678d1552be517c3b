using System.Runtime.InteropServices;
using Recall.Cli;
using Recall.Cli.Terminal;

// The first Ctrl-C (or SIGTERM) asks the command to stop; a second one ends the process at once.
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
return RecallCommand.Run(args, Screen.OfProcess(), stop.Token);

void Stop(PosixSignalContext signal)
{
    signal.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
}
