using System.Text.Json;

namespace FiveAdapters;

/// <summary>Rows of a plain text: twenty words, and the eighty that follow.</summary>
static class PlainRows
{
    const int Given = 20, Following = 80, Test = 60;

    /// <summary>Writes NAME.train.jsonl and, of the text's end, NAME.test.jsonl.</summary>
    public static void Write(string text, string folder, string name)
    {
        string[] words = File.ReadAllText(text).Split(' ');
        string[] rows = [.. words.Chunk(Given + Following).SkipLast(1).Select(row => JsonSerializer.Serialize(new
        {
            prompt = string.Join(' ', row[..Given]), answer = " " + string.Join(' ', row[Given..]),
        }))];
        Directory.CreateDirectory(folder);
        File.WriteAllLines(Path.Combine(folder, name + ".train.jsonl"), rows[..^Test]);
        File.WriteAllLines(Path.Combine(folder, name + ".test.jsonl"), rows[^Test..]);
    }
}
