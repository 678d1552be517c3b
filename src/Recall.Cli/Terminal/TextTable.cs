using Spectre.Console;

namespace Recall.Cli.Terminal;

/// <summary>
/// A table of results: with a rule below its headings in a terminal, bare columns with nothing cut and nothing coloured in a pipe.
/// </summary>
sealed class TextTable
{
    readonly Table _table = new() { UseSafeBorder = false };
    /// <summary>A table with these headings; one that begins with <c>&gt;</c> stands over numbers, aligned to the right.</summary>
    public TextTable(Screen screen, params string[] headings)
    {
        bool terminal = screen.OutIsTerminal;
        _table.Border = terminal ? TableBorder.Simple : TableBorder.None;
        foreach (string heading in headings)
        {
            bool number = heading.StartsWith('>');
            var text = new Text(number ? heading[1..] : heading, new Style(decoration: terminal ? Decoration.Bold : Decoration.None));
            var column = new TableColumn(text)
            {
                Alignment = number ? Justify.Right : Justify.Left,
                Padding = new Padding(0, 0, 2, 0),
                NoWrap = number || _table.Columns.Count == 0,
            };
            _table.AddColumn(column);
        }
    }

    /// <summary>Number of rows so far.</summary>
    public int Rows => _table.Rows.Count;

    /// <summary>Adds a row.</summary>
    public void Row(params string[] cells) => _table.AddRow(cells.Select(cell => new Text(Shown.Text(cell))));

    /// <summary>Shows the table.</summary>
    public void Write(Screen screen)
    {
        using var lines = new StringWriter();
        (screen with { Out = lines }).Styled().Write(_table);
        foreach (string line in lines.ToString().Split('\n').Where(line => line.Trim().Length > 0)) screen.Out.WriteLine(line.TrimEnd());
    }
}
