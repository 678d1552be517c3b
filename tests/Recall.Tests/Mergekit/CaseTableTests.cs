using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Recall.Tests.Extraction;
using Recall.Tests.TokenSurgery;
using Recall.TokenSurgery;
using Xunit.Sdk;

namespace Recall.Tests.Mergekit;

/// <summary>docs/mergekit-cases.md: every golden case, and how Recall's result compares.</summary>
public class CaseTableTests
{
    const string Head = """
        # The golden cases, one by one

        What mergekit wrote for each case, and what Recall makes of it; made by `CaseTableTests` (`RECALL_UPDATE_GOLDEN=1` writes it
        anew). The largest difference is that of a value to mergekit's: |Recall − mergekit| / max(|mergekit|, root mean square of the
        tensor), to one digit; 2⁻⁸ (4e-3) is half a unit in the last place of bfloat16. Single values may be far apart where a choice at a
        threshold falls otherwise (a sign, a cut at a magnitude), as it does where mergekit rounds 16-bit values after every step; the
        case says how many may. What Recall does otherwise on purpose is in [mergekit.md](mergekit.md).

        | case | program | result | largest difference |
        |---|---|---|---|
        """;

    sealed record Row(string Case, string Program, string Result, double? Largest)
    {
        public static Row Parse(string line)
        {
            string[] cells = [.. line.Trim('|').Split('|').Select(cell => cell.Trim())];
            return new Row(cells[0], cells[1], cells[2], cells[3].Length == 0 ? null : double.Parse(cells[3], CultureInfo.InvariantCulture));
        }

        public override string ToString() =>
            $"| {Case} | {Program} | {Result} | {Largest?.ToString("0e-0;-0e-0;0", CultureInfo.InvariantCulture)} |";
    }

    static string Page => Fixtures.InRepository("docs", "mergekit-cases.md");

    [Fact]
    public void TheDocumentedTableIsWhatTheCasesGive()
    {
        Assert.SkipUnless(MergekitCases.AllAreHere, "reference material not here: golden/mergekit");
        var rows = MergekitCases.Read().Select(each => Try(each.Name, each.Case)).ToList();
        Assert.All(rows, row => Assert.False(row.Result.StartsWith("differs", StringComparison.Ordinal), row.ToString()));
        if (Environment.GetEnvironmentVariable("RECALL_UPDATE_GOLDEN") == "1")
        {
            var text = new StringBuilder(Head).Append('\n');
            foreach (var row in rows) text.Append(row).Append('\n');
            File.WriteAllText(Page, text.ToString().ReplaceLineEndings("\n"));
        }
        var lines = File.ReadLines(Page).Where(line => line.StartsWith("| ", StringComparison.Ordinal));
        var written = lines.Skip(1).Select(Row.Parse).ToList();
        Assert.Equal(rows.Select(row => row with { Largest = null }), written.Select(row => row with { Largest = null }));
        foreach (var (row, before) in rows.Zip(written)) AssertAlike(before, row);
    }

    /// <summary>Other vector units may round the last bits of the inputs' forward passes and singular values otherwise.</summary>
    static void AssertAlike(Row before, Row now)
    {
        Assert.Equal(before.Largest is null, now.Largest is null);
        if (before.Largest is not { } was || now.Largest is not { } @is) return;
        Assert.True(@is <= Math.Max(3 * was, 1e-7) && was <= Math.Max(3 * @is, 1e-7), $"{now.Case}: {@is:R}, the table says {was:R}");
    }

    static Row Try(string name, MergekitCase @case)
    {
        var outcome = CaseOutcome.Watch();
        string? failure = null;
        try
        {
            Run(name, @case);
        }
        catch (Exception e) when (e is XunitException or RecallException)
        {
            failure = e.Message.Split('\n')[0];
        }
        return new Row(name, @case.Program, failure is null ? Result(@case, outcome) : $"differs: {failure}", outcome.Largest);
    }

    /// <summary>The golden tests themselves.</summary>
    static void Run(string name, MergekitCase @case)
    {
        switch (@case.Program)
        {
            case "mergekit-yaml" when @case.IsError:
                new GoldenMergekitTests().WhatMergekitRefusesIsRefusedBeforeAnythingIsWritten(name);
                break;
            case "mergekit-yaml": new GoldenMergekitTests().OutputIsThatOfMergekit(name); break;
            case "mergekit-multi": new GoldenProgramTests().ChainsOfMergesAreThoseOfMergekit(name); break;
            case "mergekit-pytorch": new GoldenProgramTests().MergesOfBareFilesAreThoseOfMergekit(name); break;
            case "mergekit-legacy": new GoldenProgramTests().MergesByArgumentsAreThoseOfMergekit(name); break;
            case "mergekit-moe": new GoldenProgramTests().MixturesOfExpertsAreThoseOfMergekit(name); break;
            case "mergekit-extract-lora": new LoraExtractionTests().AdaptersAreThoseOfMergekit(name); break;
            case "mergekit-tokensurgeon":
                new TokenSurgeonTests().ModelsAreThoseOfMergekit(name, name.Contains("omp") ? Approximation.Omp : Approximation.Subword);
                break;
            default: Assert.Fail($"no test runs {@case.Program}"); break;
        }
    }

    static string Result(MergekitCase @case, CaseOutcome outcome)
    {
        string compare = (string?)@case.Case["compare"] ?? "";
        if (outcome.IsRefused) return @case.IsError ? "refused, as there" : "refused: a defect there";
        if (@case.IsError) return "runs: better than the error there";
        if (compare == "statistics") return "probabilities as there";
        if (@case.Case["proposed"] is not null) return "as proposed: a defect there";
        if (@case.Case["special"]?["gate"] is not null) return "within the tolerance; router compared apart";
        if (outcome.IsThatOfFloat64) return "as in float64; rounded in between there";
        if (outcome.Largest is null) return "equal";
        if (outcome.Largest == 0) return "equal, every bit";
        return outcome.Largest > 1.001 * Tolerance(@case) ? "within the tolerance, but for choices at a threshold" : "within the tolerance";
    }

    /// <summary>The largest of the types; adapters are compared as their case says.</summary>
    static double Tolerance(MergekitCase @case) => (string?)@case.Case["compare"] == "lora"
        ? double.PositiveInfinity
        : ((JsonObject)@case.Case["tolerance"]!).Max(type => (double)(type.Value is JsonObject limits ? limits["rtol"]! : type.Value!));
}
