using System.CommandLine;
using System.CommandLine.Parsing;

namespace Recall.Cli.Commands;

/// <summary>A pair of flags as mergekit has them: <c>--x</c> and <c>--no-x</c>. The help shows the one that changes something.</summary>
sealed class Switch
{
    readonly Option<bool> _on, _off;
    readonly bool _usual;

    /// <summary>A pair.</summary>
    /// <param name="name">With its dashes: <c>--copy-tokenizer</c>.</param>
    /// <param name="usual">What holds when neither is given.</param>
    /// <param name="description">What the flag that changes something does.</param>
    /// <param name="hidden">Shown nowhere.</param>
    /// <param name="letter">A short form of the name, with its dash.</param>
    /// <param name="offLetter">A short form of its opposite.</param>
    public Switch(string name, bool usual, string description, bool hidden = false, string? letter = null, string? offLetter = null)
    {
        _usual = usual;
        _on = new Option<bool>(name, letter is null ? [] : [letter]) { Description = description, Hidden = hidden || usual };
        _off = new Option<bool>("--no-" + name[2..], offLetter is null ? [] : [offLetter]) { Description = description, Hidden = hidden || !usual };
    }

    /// <summary>Adds both to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_on);
        command.Add(_off);
        command.Validators.Add(result =>
        {
            if (result.GetResult(_on) is { Implicit: false } && result.GetResult(_off) is { Implicit: false })
                result.AddError($"{_on.Name} and {_off.Name} exclude one another");
        });
    }

    /// <summary>The one of the flags that asks for something else than what holds anyway.</summary>
    public Option Changing => _usual ? _off : _on;

    /// <summary>The name of the flag that turns it on.</summary>
    public string Name => _on.Name;

    /// <summary>What holds.</summary>
    public bool Value(ParseResult parse) => parse.GetValue(_on) || (_usual && !parse.GetValue(_off));

    /// <summary>True where the flag that turns it on was typed.</summary>
    public bool IsOn(CommandResult result) => result.GetResult(_on) is { Implicit: false };

    /// <summary>The flag that was typed, or null.</summary>
    public string? Typed(ParseResult parse) => parse.GetValue(_on) ? _on.Name : parse.GetValue(_off) ? _off.Name : null;
}
