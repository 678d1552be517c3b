using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Recall.Cli.Terminal;

/// <summary>Where a command shows things: results on one stream, progress and notes on the other.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">Progress, notes, errors.</param>
sealed record Screen(TextWriter Out, TextWriter Error)
{
    static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter() },
    };

    /// <summary>JSON in one line, for output with a line for each thing.</summary>
    public static JsonSerializerOptions JsonLine { get; } = new(Json) { WriteIndented = false };

    /// <summary>True where a person looks at the results: they may be coloured, and are cut to its width.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>True where a person looks at the progress: it is one line that moves.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of the terminal.</summary>
    public int Width { get; init; } = 120;

    /// <summary>No progress, no notes.</summary>
    public bool Quiet { get; init; }

    /// <summary>The clock of the progress.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The streams of this process.</summary>
    public static Screen OfProcess()
    {
        bool terminal = !Console.IsOutputRedirected, dumb = Environment.GetEnvironmentVariable("TERM") is "dumb";
        int width = terminal || !Console.IsErrorRedirected ? Console.WindowWidth : 0;
        return new Screen(Console.Out, Console.Error)
        {
            OutIsTerminal = terminal && !dumb,
            ErrorIsTerminal = !Console.IsErrorRedirected && !dumb,
            Width = width > 0 ? width : 120,
        };
    }

    /// <summary>Something worth knowing that is no result.</summary>
    public void Note(string text)
    {
        if (!Quiet) Error.WriteLine(text);
    }

    /// <summary>A result for scripts: its properties in snake_case.</summary>
    public void WriteJson<T>(T value) => Out.WriteLine(JsonSerializer.Serialize(value, Json));

    /// <summary>The results' stream for Spectre.Console: in a pipe without colour (as with NO_COLOR), and without breaks in lines.</summary>
    public IAnsiConsole Styled()
    {
        bool colour = OutIsTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = colour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(Out),
        });
        console.Profile.Width = OutIsTerminal ? Width : 100_000;
        return console;
    }
}
