using System.Globalization;
using FiveAdapters;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Representations;
using Recall.Tokenization;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var settings = new Settings(args);
TorchProcess.Prepare();
if (Environment.GetEnvironmentVariable("THREADS") is { } threads) TorchSharp.torch.set_num_threads(int.Parse(threads));
if (settings.Mode == "rates")
{
    Rates.Print();
    return;
}
if (settings.Mode == "rows")    // rows TEXT FOLDER NAME: of a plain text
{
    PlainRows.Write(settings.Words[1], settings.Words[2], settings.Words[3]);
    return;
}
var set = ExpertSet.Read(settings.Set, settings.Only);
var baseModel = Checkpoint.Open(ExpertSet.Base);
var texts = new TaskTexts(Tokenizer.Load(baseModel));
var merges = new Merges(set, texts, baseModel, settings);
string[] words = settings.Words;
switch (settings.Mode)
{
    case "references":          // the losses of the base, and of each expert on its own task
        Print("base", Scores.Of(baseModel, texts, set, settings.Limit, plain: true));
        foreach (var entry in set) Print(entry.Name, Scores.Of(merges.Model(entry), texts, [entry], settings.Limit, plain: false));
        break;
    case "align" or "distil":
        Report(merges.Align([.. set.Select(merges.WithTexts)], settings.Mode == "align" ? AlignmentKind.Align : AlignmentKind.Distil));
        break;
    case "cards":               // cards FOLDER RANK: makes them
        merges.WriteCards(words[1], words[2] == "full" ? null : int.Parse(words[2]));
        break;
    case "align-cards":         // align-cards FOLDER
        Report(merges.Align([.. set.Select(entry => merges.WithCard(entry, words[1]))], AlignmentKind.Align));
        break;
    case "newest":              // newest TASK FOLDER: its texts, cards of the others
        Report(merges.Align([.. set.Select(entry => entry.Name == words[1] ? merges.WithTexts(entry) : merges.WithCard(entry, words[2]))],
            AlignmentKind.Distil));
        break;
    case "sequential":          // sequential FOLDER texts|cards RANK
        Report(merges.OneAfterAnother(words[1], keepTexts: words[2] == "texts", words[3]));
        break;
    case "weights":             // weights METHOD PARAMETERS FOLDER, PARAMETERS such as "density: 0.2"
        Report(merges.ByWeights(words[1], words[2], words[3]));
        break;
}

void Report(Checkpoint merged)
{
    var losses = Scores.Of(merged, texts, set, settings.Limit, plain: true);
    Print(string.Join(' ', args), losses);
    double[] kept = [.. set.Select(entry => entry.Share(losses[entry.Name]))];
    Console.WriteLine($"  kept: {string.Join(", ", set.Zip(kept, (entry, share) => $"{entry.Name} {share:F1} %"))}; "
        + $"mean {kept.Average():F1} %, worst {kept.Min():F1} %");
}

static void Print(string name, Dictionary<string, double> losses) =>
    Console.WriteLine($"{name}: {string.Join(", ", losses.Select(loss => $"{loss.Key} {loss.Value:F4}"))}");
