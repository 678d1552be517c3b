using System.Globalization;
using Recall.Alignment;
using Recall.Cli.Terminal;

namespace Recall.Cli.Commands;

/// <summary>What is shown of a card.</summary>
/// <param name="Card">Its file.</param>
/// <param name="Bytes">Bytes of the file.</param>
/// <param name="Rank">Eigenvectors a second moment, or full.</param>
/// <param name="Experts">How many experts it stands for.</param>
/// <param name="Answers">Weight of the answers' tokens.</param>
/// <param name="Demand">How far half of its update stays behind the whole, as a share; null where that is not known, and for a merged model.</param>
/// <param name="Weighed">Whether experts can be weighed by it.</param>
/// <param name="Tokens">Tokens of its texts.</param>
/// <param name="Inputs">Number of layer inputs.</param>
/// <param name="ModelPrint">The print of its model.</param>
/// <param name="SamplesPrint">That of its texts.</param>
sealed record CardSummary(
    string Card, long Bytes, string Rank, int Experts, double Answers, double? Demand, bool Weighed, long Tokens, int Inputs, string ModelPrint,
    string SamplesPrint)
{
    /// <summary>Whether a file has the name of a card, or of one that was given another name before its ending.</summary>
    public static bool IsCard(string path) => File.Exists(path) && path.EndsWith(CardFile.Name, StringComparison.Ordinal);

    /// <summary>Opens a card.</summary>
    public static CardSummary Of(string path)
    {
        var card = CardFile.Open(path);
        return new CardSummary(path, new FileInfo(path).Length, card.Rank?.ToString(CultureInfo.InvariantCulture) ?? "full", card.Experts,
            card.Answers, card.Demand, card.IsWeighed, card.Tokens,
            card.Inputs.Count, card.Model, card.Samples);
    }

    /// <summary>Shows it.</summary>
    public void Write(Screen screen)
    {
        var facts = new Facts(screen);
        facts.Add("card", Card);
        facts.Add("bytes", $"{Shown.Count(Bytes)} ({Shown.Bytes(Bytes)})");
        facts.Add("rank", Rank);
        facts.Add("experts", Shown.Count(Experts));
        facts.Add("tokens", Shown.Count(Tokens));
        facts.Add("weight of answers", Answers.ToString("R", CultureInfo.InvariantCulture));
        facts.Add("demand", Demand is { } demand ? $"{demand.ToString("P1", CultureInfo.InvariantCulture)} of what it does is missing with half of its update"
            : Weighed ? "of each of its experts, weighed in it" : Experts > 1 ? "its experts weigh alike" : "not measured (--base)");
        facts.Add("layer inputs", Shown.Count(Inputs));
        facts.Add("model", ModelPrint);
        facts.Add("texts", SamplesPrint);
        facts.Write();
    }
}
