using System.Runtime.InteropServices;
using Recall.Cli;
using Recall.Cli.Terminal;

var screen = Screen.OfProcess();
using var request = new StopRequest(screen);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
return RecallCommand.Run(args, screen, request.Token);

void Stop(PosixSignalContext signal) => signal.Cancel = request.Ask();
