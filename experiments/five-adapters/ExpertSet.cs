using System.Text.Json;

namespace FiveAdapters;

/// <summary>An expert, its task, and the losses that its share of gain is measured by.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Expert">An adapter's or a checkpoint's folder.</param>
/// <param name="Train">Texts to merge by: a task file, of which the training split counts, or rows of <c>prompt</c> and <c>answer</c>.</param>
/// <param name="Test">Texts to score: a task file's test split, or rows.</param>
/// <param name="Rows">How many rows are scored, from the first.</param>
/// <param name="OverRows">Whether the loss is the mean over rows of a row's mean, or that over all answer tokens.</param>
/// <param name="Base">The base's loss.</param>
/// <param name="Own">The expert's loss.</param>
sealed record SetEntry(string Name, string Expert, string Train, string Test, int Rows, bool OverRows, double Base, double Own)
{
    /// <summary>The share of the expert's gain over the base that a loss keeps, in percent.</summary>
    public double Share(double loss) => 100 * (Base - loss) / (Base - Own);
}

/// <summary>A base and its experts, from a JSON file; <c>$shared</c> in paths is the folder of models and data.</summary>
static class ExpertSet
{
    public static readonly string Shared = Environment.GetEnvironmentVariable("RECALL_SHARED") ?? "../shared";

    public static readonly string Base = Path.Combine(Shared, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");

    public static IReadOnlyList<SetEntry> Read(string path, IReadOnlySet<string>? only) =>
        [.. JsonSerializer.Deserialize<SetEntry[]>(File.ReadAllText(path).Replace("$shared", Shared), JsonSerializerOptions.Web)!
            .Where(entry => only?.Contains(entry.Name) != false)];
}
