using System.Text;
using System.Text.Json.Nodes;

namespace Recall.Data;

/// <summary>
/// Rows of CSV (RFC 4180): a header, fields in quotes where they hold separators, quotes or line ends. Every field is text. CR, LF and both
/// together
/// end a row; blank lines are left out.
/// </summary>
static class CsvRows
{
    const int MostColumns = 100_000;

    /// <summary>The rows below the header.</summary>
    public static IEnumerable<DataRow> Read(IEnumerable<TextLine> lines, string path, char separator, bool header)
    {
        List<string>? names = null;
        int number = 0;
        foreach (var (line, fields) in Records(lines, path, separator))
        {
            if (names is null)
            {
                names = header ? fields : [.. fields.Select((_, i) => $"column{i}")];
                if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } twice)
                    throw new RecallException($"{path}:{line}: column {Quoted.Of(twice.Key)} stands twice in the header");
                if (header) continue;
            }
            if (fields.Count != names.Count)
                throw new RecallException($"{path}:{line}: the row has {fields.Count} fields, the header has {names.Count}; is the separator "
                    + $"{Quoted.Of(separator.ToString())}?");
            var row = new JsonObject();
            for (int i = 0; i < names.Count; i++) row[names[i]] = fields[i];
            yield return new DataRow(++number, row);
        }
        if (names is null) throw new RecallException($"{path}: is empty; a header is expected");
    }

    static IEnumerable<(int Line, List<string> Fields)> Records(IEnumerable<TextLine> lines, string path, char separator)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        bool quoted = false, closed = false, carriage = false;
        int line = 1, began = 1, opened = 1;
        foreach (var text in lines)
        {
            for (int i = 0; i <= text.Text.Length; i++)
            {
                if (i == text.Text.Length && !text.Ended) break;
                char c = i == text.Text.Length ? '\n' : text.Text[i];
                bool second = c == '\n' && carriage;
                carriage = c == '\r';
                if (c is '\r' or '\n' && !second) line++;
                if (quoted)
                {
                    if (c != '"') field.Append(c);
                    else (quoted, closed) = (false, true);
                }
                else if (c == '"' && closed)
                {
                    field.Append('"');
                    (quoted, closed) = (true, false);
                }
                else if (c == '"' && field.Length == 0)
                {
                    (quoted, opened) = (true, line);
                }
                else if (c == separator)
                {
                    EndField();
                    if (fields.Count > MostColumns) throw new RecallException($"{path}:{began}: a row of more than {MostColumns} fields");
                }
                else if (c is '\r' or '\n')
                {
                    if (!second && (fields.Count > 0 || field.Length > 0 || closed))
                    {
                        EndField();
                        yield return (began, fields);
                        fields = [];
                    }
                    began = line;
                }
                else if (closed)
                {
                    throw new RecallException($"{path}:{line}: {Quoted.Of(c.ToString())} stands after a closing quote; quotes inside a field are doubled");
                }
                else
                {
                    field.Append(c);
                }
            }
        }
        if (quoted) throw new RecallException($"{path}:{opened}: a quoted field is not closed");
        if (fields.Count == 0 && field.Length == 0 && !closed) yield break;
        EndField();
        yield return (began, fields);

        void EndField()
        {
            fields.Add(field.ToString());
            field.Clear();
            closed = false;
        }
    }
}
