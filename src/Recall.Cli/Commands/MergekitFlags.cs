using System.CommandLine;
using Recall.Cli.Terminal;

namespace Recall.Cli.Commands;

/// <summary>
/// The options of mergekit-yaml that have no meaning here: accepted, so that scripts written for it run as they are, and noted in one line.
/// </summary>
/// <param name="ofMergesToo">Takes the options of merges too, for a program that does not merge.</param>
sealed class MergekitFlags(bool ofMergesToo = false)
{
    readonly Switch[] _switches =
    [
        new("--cuda", false, "Merging runs on the CPU", hidden: true),
        new("--low-cpu-memory", false, "Memory is small anyway", hidden: true),
        new("--clone-tensors", false, "Nothing is shared", hidden: true),
        new("--trust-remote-code", false, "No code of models is run", hidden: true),
        new("--lazy-unpickle", false, "Reading is lazy anyway", hidden: true),
        new("--read-to-gpu", false, "Merging runs on the CPU", hidden: true),
        new("--multi-gpu", false, "Merging runs on the CPU", hidden: true),
        new("--async-write", false, "Reading and writing overlap anyway", hidden: true),
    ];

    readonly Switch _safeSerialization = new("--safe-serialization", true, "safetensors is the only format", hidden: true);

    readonly Option<bool> _gpuRich = new("--gpu-rich") { Description = "Merging runs on the CPU", Hidden = true };

    readonly Option<bool> _verbose = new("-v", "--verbose") { Description = "Nothing is hidden", Hidden = true };

    readonly Option<string>[] _values =
    [
        new("--transformers-cache") { Description = "Where models are downloaded to", Hidden = true },
        new("--lora-merge-cache") { Description = "Adapters are applied while reading", Hidden = true },
        new("--lora-merge-dtype") { Description = "Adapters are applied in float32", Hidden = true },
        new("--device") { Description = "Merging runs on the CPU", Hidden = true },
        new("--write-threads") { Description = "Threads write what they merge", Hidden = true },
    ];

    readonly Option<string>[] _valuesOfMerges =
    [
        new("--out-shard-size") { Description = "There is one file", Hidden = true },
        new("--random-seed", "--seed") { Description = "Nothing is random", Hidden = true },
        new("--num-threads", "--threads", "-j") { Description = "libtorch chooses its threads", Hidden = true },
    ];

    readonly Switch[] _switchesOfMerges =
    [
        new("--copy-tokenizer", true, "There is no tokenizer", hidden: true),
        new("--allow-crimes", false, "Tensors are compared by name", hidden: true),
        new("--write-model-card", true, "The card is always written", hidden: true),
    ];

    IEnumerable<Option<string>> Values => ofMergesToo ? [.. _values, .. _valuesOfMerges] : _values;

    /// <summary>Adds all to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var flag in _switches) flag.AddTo(command);
        _safeSerialization.AddTo(command);
        command.Add(_gpuRich);
        command.Add(_verbose);
        foreach (var option in Values) command.Add(option);
        if (!ofMergesToo) return;
        foreach (var flag in _switchesOfMerges) flag.AddTo(command);
    }

    /// <summary>Says which of those typed change nothing.</summary>
    public void Note(ParseResult parse, Screen screen)
    {
        var typed = _switches.Where(flag => flag.Value(parse)).Select(flag => flag.Typed(parse)!).ToList();
        if (parse.GetValue(_gpuRich)) typed.Add(_gpuRich.Name);
        if (parse.GetValue(_verbose)) typed.Add(_verbose.Name);
        if (ofMergesToo) typed.AddRange(_switchesOfMerges.Select(flag => flag.Typed(parse)).OfType<string>());
        typed.AddRange(Values.Where(option => parse.GetValue(option) is not null).Select(option => option.Name));
        if (typed.Count > 0) screen.Note($"note: {string.Join(", ", typed)}: of mergekit, without meaning here");
        if (!_safeSerialization.Value(parse)) screen.Note("note: --no-safe-serialization: Recall writes safetensors only");
    }
}
