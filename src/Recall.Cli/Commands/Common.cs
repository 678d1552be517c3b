using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;

namespace Recall.Cli.Commands;

/// <summary>Arguments and options that several commands share, so that they are described alike.</summary>
static class Common
{
    /// <summary>A model.</summary>
    public static Argument<string> Model(string name) => new(name)
    {
        Description = "A folder of transformers, a .safetensors or .gguf file, or BASE+ADAPTER",
    };

    /// <summary>A merge file.</summary>
    public static Argument<string> Config() => new("CONFIG")
    {
        Description = "A merge file: YAML, as mergekit reads it, with Recall's own keys",
    };

    /// <summary>Where the result goes.</summary>
    public static Argument<string> Output() => new("OUT") { Description = "The folder to write; it must be empty or not there" };

    /// <summary>Results for scripts.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Write the result as JSON" };

    /// <summary>Threads that read and calculate.</summary>
    public static Option<int?> Threads()
    {
        var threads = new Option<int?>("--threads", "--num-threads", "-j")
        {
            Description = "Threads that read and calculate [default: one for each core]",
            HelpName = "N",
        };
        threads.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && int.TryParse(token.Value, out int count) && count is < 1 or > 1024)
                result.AddError($"--threads {token.Value}: a number from 1 to 1024 is expected");
        });
        return threads;
    }

    /// <summary>Says in one line which of some options were typed and change nothing.</summary>
    /// <param name="parse">What was typed.</param>
    /// <param name="screen">Where it is said.</param>
    /// <param name="when">What makes them useless: <c>with -a mean</c>.</param>
    /// <param name="options">The options.</param>
    public static void NoteUnused(ParseResult parse, Screen screen, string when, params IEnumerable<Option> options)
    {
        string typed = string.Join(", ", options.Where(option => parse.GetResult(option) is { Implicit: false }).Select(option => option.Name));
        if (typed.Length > 0) screen.Note($"note: {typed}: without effect {when}");
    }

    /// <summary>One of the words of an enumeration, in lower case.</summary>
    public static Option<T> Choice<T>(string name, T usual, string description) where T : struct, Enum
    {
        var words = Enum.GetValues<T>().Select(Word).ToList();
        return new Option<T>(name)
        {
            Description = $"{description} [default: {Word(usual)}]",
            HelpName = string.Join('|', words),
            CustomParser = result =>
            {
                string word = result.Tokens[0].Value;
                if (words.Contains(word)) return Enum.Parse<T>(word, ignoreCase: true);
                result.AddError($"{name} {Quoted.Of(word)}: one of {string.Join(", ", words)} is expected");
                return usual;
            },
        };
        static string Word(T value) => value.ToString().ToLowerInvariant();
    }

    /// <summary>How states become one vector.</summary>
    public static Option<Pooling> Pooling() => Choice(
        "--pooling", Configuration.Pooling.Mean, "How a text's states become one vector: mean over its tokens, or the last one's");

    /// <summary>The type of forward passes.</summary>
    public static Option<ComputeType> Compute() => Choice(
        "--compute", ComputeType.Auto, "Type of the forward passes; auto: bfloat16 where the CPU multiplies it in hardware, else float32");
}
