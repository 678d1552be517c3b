using System.CommandLine;
using System.Globalization;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>The options that decide how a config is merged: those of mergekit-yaml, and Recall's own.</summary>
/// <param name="withoutEffect">
/// Those that change nothing in a command: it takes them, since scripts may give them, does not show them, and says so.
/// </param>
sealed class MergeFlags(params string[] withoutEffect)
{
    readonly Option<string?> _weights = new("--weights")
    {
        Description = "Merge with the layer weights of a weights.json in place of computing them",
        HelpName = "FILE",
    };

    readonly Option<string> _shardSize = ShardSize();
    readonly Option<long> _seed = new("--random-seed", "--seed")
    {
        Description = "Seed of random methods",
        HelpName = "N",
        DefaultValueFactory = _ => 0,
    };

    readonly Option<int?> _threads = Common.Threads();
    readonly Switch _allowCrimes = new(
        "--allow-crimes", false, "Merge models of different architectures; the base's (or first one's) leads");
    readonly Switch _copyTokenizer = new("--copy-tokenizer", true, "Write no tokenizer files");
    readonly Switch _writeModelCard = new("--write-model-card", true, "Write neither README.md nor the config");
    readonly MergekitFlags _mergekit = new();

    IEnumerable<Switch> Switches => [_allowCrimes, _copyTokenizer, _writeModelCard];

    /// <summary>Those that change nothing here.</summary>
    IEnumerable<Option> Unused =>
    [
        .. new Option[] { _weights, _shardSize, _seed }.Where(option => withoutEffect.Contains(option.Name)),
        .. Switches.Where(flag => withoutEffect.Contains(flag.Name)).Select(flag => flag.Changing),
    ];

    /// <summary>Adds all to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_weights);
        command.Add(_shardSize);
        command.Add(_seed);
        command.Add(_threads);
        foreach (var flag in Switches) flag.AddTo(command);
        foreach (var option in Unused) option.Hidden = true;
        _mergekit.AddTo(command);
    }

    /// <summary>Those of a whole checkpoint, for a command that may write something else.</summary>
    public IEnumerable<Option> OfCheckpoints => [_weights, _shardSize, _seed, _copyTokenizer.Changing, _writeModelCard.Changing];

    /// <summary>The options as typed; those of mergekit without meaning here are noted.</summary>
    public MergeOptions Read(ParseResult parse, string output, Terminal.Screen screen)
    {
        _mergekit.Note(parse, screen);
        Common.NoteUnused(parse, screen, $"in {parse.CommandResult.Command.Name}", Unused);
        return new MergeOptions
        {
            Output = output,
            WeightsFile = withoutEffect.Contains(_weights.Name) ? null : parse.GetValue(_weights),
            ShardBytes = ParseSize(parse.GetValue(_shardSize)!)!.Value,
            Seed = parse.GetValue(_seed),
            SeedIsGiven = !withoutEffect.Contains(_seed.Name) && parse.GetResult(_seed) is { Implicit: false },
            Threads = parse.GetValue(_threads) ?? Environment.ProcessorCount,
            AllowCrimes = _allowCrimes.Value(parse),
            CopyTokenizer = _copyTokenizer.Value(parse),
            WriteModelCard = _writeModelCard.Value(parse),
        };
    }

    /// <summary>The size of a shard, as mergekit writes it: <c>5B</c> is 5·10⁹ bytes. To be read by <see cref="ParseSize"/>.</summary>
    public static Option<string> ShardSize()
    {
        var size = new Option<string>("--out-shard-size")
        {
            Description = "Bytes in a file of weights at most, in thousands (K), millions (M) or billions (B); 0: one file",
            HelpName = "SIZE",
            DefaultValueFactory = _ => "5B",
        };
        size.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && ParseSize(token.Value) is null)
                result.AddError(
                    $"--out-shard-size {Quoted.Of(token.Value)}: a whole number with K, M or B is expected, such as 5B or 500M");
        });
        return size;
    }

    /// <summary>The bytes that a text such as <c>500M</c> or <c>5GB</c> means; null: none. Less than 0 is 0, as in mergekit.</summary>
    public static long? ParseSize(string text)
    {
        string number = text.Trim().ToUpperInvariant();
        if (number is [.., 'K' or 'M' or 'G', 'B']) number = number[..^1];
        long unit = number.LastOrDefault() switch { 'K' => 1_000, 'M' => 1_000_000, 'G' or 'B' => 1_000_000_000, _ => 1 };
        if (unit > 1) number = number[..^1];
        if (!long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long count)) return null;
        return Math.BigMul(count, unit) is var bytes && bytes > long.MaxValue ? null : Math.Max(0, (long)bytes);
    }
}
