using System.CommandLine;
using Recall.Cli.Terminal;
using Recall.Configuration;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary><c>recall inspect</c>: what a model is made of, from its headers alone.</summary>
sealed partial class InspectCommand : Verb
{
    readonly Argument<string> _model = Common.Model("MODEL");
    readonly Option<bool> _tensors = new("--tensors") { Description = "List every tensor" };
    readonly Option<bool> _json = Common.Json();

    public InspectCommand() : base(
        "inspect",
        "Shows what a model is made of. Architecture, layers, tensors, types, parameters, tokenizer, adapter; only headers are read.",
        "recall inspect experts/sst2",
        "recall inspect model.safetensors --tensors",
        "recall inspect base+adapters/race --json | jq .parameters")
    {
        Add(_model);
        Add(_tensors);
        Add(_json);
    }

    public override int Run(ParseResult parse, Screen screen, CancellationToken cancellation)
    {
        var reference = ModelReference.Parse(parse.GetRequiredValue(_model));
        bool list = parse.GetValue(_tensors), json = parse.GetValue(_json);
        if (reference.Lora is null && AdapterSummary.IsAdapter(reference.Model.Path))
        {
            Common.NoteUnused(parse, screen, "for an adapter by itself", _tensors);
            var alone = AdapterSummary.Of(reference.Model.Path);
            if (json) screen.WriteJson(alone);
            else Show(alone, screen);
            return ExitCode.Done;
        }
        if (reference.Lora is null && CardSummary.IsCard(reference.Model.Path))
        {
            Common.NoteUnused(parse, screen, "for a card", _tensors);
            var card = CardSummary.Of(reference.Model.Path);
            if (json) screen.WriteJson(card);
            else card.Write(screen);
            return ExitCode.Done;
        }
        var model = OpenedModel.Open(reference);
        var adapter = reference.Lora is null ? null : AdapterSummary.Of(reference.Lora.Path);
        var summary = ModelSummary.Of(model, adapter, list);
        if (json) screen.WriteJson(summary);
        else Show(summary, screen);
        return ExitCode.Done;
    }

    static void Show(ModelSummary model, Screen screen)
    {
        var facts = new Facts(screen);
        facts.Add("model", model.Model);
        facts.Add("architecture", model.Architecture is null ? "unknown: there is no config.json that names it"
            : model.KnownArchitecture ? model.Architecture : $"{model.Architecture} (not in Recall's table)");
        facts.Add("layers", model.Layers.ToString());
        if (model.HiddenSize is { } hidden) facts.Add("hidden size", Shown.Count(hidden));
        if (model.VocabularySize is { } vocabulary) facts.Add("vocabulary", Shown.Count(vocabulary));
        facts.Add("parameters", $"{Shown.Count(model.Parameters)} in {Shown.Count(model.Tensors)} tensors");
        facts.Add("bytes", $"{Shown.Count(model.Bytes)} ({Shown.Bytes(model.Bytes)})");
        var types = model.DTypes.Select(type => $"{type.DType} ({Shown.Count(type.Tensors)} tensors, {Shown.Bytes(type.Bytes)})");
        facts.Add("types", string.Join(", ", types));
        facts.Add("tokenizer", model.Tokenizer is { } tokenizer ? Describe(tokenizer) : "none");
        if (model.Files.Count > 0) facts.Add("files", string.Join(", ", model.Files));
        if (model.Adapter is { } adapter) facts.Add("adapter", $"{adapter.Folder}: {Describe(adapter)}");
        facts.Write();

        screen.Out.WriteLine();
        var parts = new TextTable(screen, "part", ">tensors", ">parameters", ">bytes");
        foreach (var part in model.Parts)
            parts.Row(part.Part, Shown.Count(part.Tensors), Shown.Count(part.Parameters), Shown.Bytes(part.Bytes));
        parts.Write(screen);
        if (model.TensorList is not { } tensors) return;
        screen.Out.WriteLine();
        var table = new TextTable(screen, "tensor", "shape", "type", ">bytes", "file");
        foreach (var tensor in tensors)
            table.Row(tensor.Name, $"[{string.Join(", ", tensor.Shape)}]", tensor.Encoding, Shown.Bytes(tensor.Bytes), tensor.File ?? "");
        table.Write(screen);
    }

    static void Show(AdapterSummary adapter, Screen screen)
    {
        var facts = new Facts(screen);
        facts.Add("adapter", adapter.Folder);
        facts.Add("base model", adapter.BaseModel ?? "not named");
        facts.Add("kind", Describe(adapter));
        if (adapter.TargetModules.Count > 0) facts.Add("modules", Modules(adapter.TargetModules));
        if (adapter.ModulesToSave.Count > 0) facts.Add("whole modules", string.Join(", ", adapter.ModulesToSave));
        facts.Add("parameters", $"{Shown.Count(adapter.Parameters)} in {Shown.Count(adapter.Tensors)} tensors");
        facts.Add("bytes", $"{Shown.Count(adapter.Bytes)} ({Shown.Bytes(adapter.Bytes)})");
        facts.Write();
    }

    static string Describe(TokenizerSummary tokenizer) =>
        string.Join(", ", new[]
        {
            tokenizer.Type is null ? tokenizer.File : $"{tokenizer.Type} in {tokenizer.File}",
            tokenizer.Vocabulary is { } vocabulary ? $"{Shown.Count(vocabulary)} entries" : null,
            tokenizer.AddedTokens is { } added ? $"{added} added tokens" : null,
            tokenizer.ChatTemplate ? "with a chat template" : null,
        }.OfType<string>());

    /// <summary>Modules that are alike but for a number, as of their layer, are named once.</summary>
    static string Modules(IReadOnlyList<string> names) => string.Join(", ", names.GroupBy(name => Number().Replace(name, ".*"))
        .Select(alike => alike.Count() == 1 ? alike.First() : $"{alike.Key} ({alike.Count()})"));

    [System.Text.RegularExpressions.GeneratedRegex(@"\.\d+(?=\.|$)", System.Text.RegularExpressions.RegexOptions.CultureInvariant)]
    private static partial System.Text.RegularExpressions.Regex Number();

    static string Describe(AdapterSummary adapter) =>
        $"{adapter.PeftType ?? "unknown kind"}, rank {Shown.Number(adapter.Rank)}, alpha {Shown.Number(adapter.Alpha)}"
        + (adapter.RankStabilized ? ", rank-stabilised" : "") + (adapter.Dora ? ", DoRA" : "");
}
