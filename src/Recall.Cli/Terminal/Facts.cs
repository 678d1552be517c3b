namespace Recall.Cli.Terminal;

/// <summary>Results that have a name each, one below the other.</summary>
sealed class Facts(Screen screen)
{
    readonly List<(string Name, string Value)> _facts = [];

    /// <summary>Adds a line.</summary>
    public void Add(string name, string value) => _facts.Add((name, Shown.Text(value)));

    /// <summary>Shows the lines, the values aligned; a value too long for the terminal goes on below itself.</summary>
    public void Write()
    {
        int indent = _facts.Max(fact => fact.Name.Length) + 2;
        foreach (var (name, value) in _facts)
        {
            string lead = name.PadRight(indent);
            foreach (string line in screen.OutIsTerminal ? Wrap(value, Math.Max(20, screen.Width - indent - 1)) : [value])
            {
                screen.Out.WriteLine(lead + line);
                lead = new string(' ', indent);
            }
        }
    }

    static IEnumerable<string> Wrap(string text, int width)
    {
        while (text.Length > width)
        {
            int space = text.LastIndexOf(' ', width);
            if (space <= 0) space = width;
            yield return text[..space];
            text = text[space..].TrimStart();
        }
        yield return text;
    }
}
