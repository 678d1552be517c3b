using System.Text.Json.Nodes;

namespace Recall.Tests.Alignment;

/// <summary>Copies of the models of golden/align/full that may be changed, and each expert's texts beside them as NAME.jsonl.</summary>
static class CopiedExperts
{
    /// <summary>Copies the base and the experts.</summary>
    public static void To(TemporaryFolder folder, IEnumerable<string> names)
    {
        string shared = Fixtures.Shared("golden", "align", "full");
        string[] samples = File.ReadAllLines(Path.Combine(shared, "samples.jsonl"));
        foreach (string name in names)
        {
            Directory.CreateDirectory(folder[name]);
            foreach (string file in Directory.GetFiles(Path.Combine(shared, name))) File.Copy(file, folder[name, Path.GetFileName(file)]);
            string[] own = [.. samples.Where(line => (string)JsonNode.Parse(line)!["expert"]! == name)];
            if (own.Length > 0) File.WriteAllLines(folder[name + ".jsonl"], own);
        }
    }
}
