using System.Text.Json;

namespace Recall.Cli.Commands;

/// <summary>A file of token ids: one JSON array a line, as <c>recall tokenize</c> writes them.</summary>
static class IdLines
{
    /// <summary>Reads the ids of each line; empty lines at the end count as none.</summary>
    /// <exception cref="RecallException">Not there, or a line that is no array of ids.</exception>
    public static IReadOnlyList<int[]> Read(string path)
    {
        if (Directory.Exists(path)) throw new RecallException($"{path}: is a folder, not a file of token ids");
        if (!File.Exists(path)) throw new RecallException($"{path}: no such file");
        var lines = File.ReadAllLines(path);
        int count = lines.Length;
        while (count > 0 && string.IsNullOrWhiteSpace(lines[count - 1])) count--;
        if (count == 0) throw new RecallException($"{path}: holds no token ids");
        return [.. lines.Take(count).Select((line, i) => Parse(line, path, i + 1))];
    }

    static int[] Parse(string line, string path, int number)
    {
        try
        {
            if (JsonSerializer.Deserialize<int[]>(line) is { Length: > 0 } ids) return ids;
        }
        catch (JsonException)
        {
        }
        throw new RecallException($"{path}:{number}: a JSON array of token ids is expected, such as [1, 504, 4], not {Quoted.Of(line)}");
    }
}
