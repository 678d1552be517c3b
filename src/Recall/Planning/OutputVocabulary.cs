using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Tokenization;

namespace Recall.Planning;

/// <summary>
/// The output's vocabulary (mergekit's <c>tokenizer</c>): its tokenizer, and for every model which rows its embedding and head have in it.
/// All
/// models get the new shape before a method sees them; a token that a model lacks has there the row that <see cref="TokenRows"/> chooses.
/// </summary>
sealed class OutputVocabulary
{
    readonly ImmutableArray<OpenedModel> _models;
    readonly ImmutableArray<RowMap> _maps;
    readonly TokenizerConfig _asked;

    OutputVocabulary(
        ImmutableArray<OpenedModel> models, TokenizerConfig asked, TokenizerDraft draft, IReadOnlyList<CheckpointFile> files,
        ImmutableArray<RowMap> maps)
    {
        (_models, _asked, _maps) = (models, asked, maps);
        (Draft, Files) = (draft, files);
    }

    /// <summary>The output's tokenizer.json.</summary>
    public TokenizerDraft Draft { get; }

    /// <summary>The files of the model whose tokenizer the output's begins with.</summary>
    public IReadOnlyList<CheckpointFile> Files { get; }

    /// <summary>Decides on the vocabulary and checks all that is needed for it.</summary>
    /// <param name="config">The config, with a <c>tokenizer</c>.</param>
    /// <param name="models">The models; the first one leads.</param>
    /// <param name="notes">Gets what the user should know.</param>
    /// <exception cref="RecallException">A tokenizer that is missing or broken, a token that its source lacks.</exception>
    public static OutputVocabulary Make(MergeConfig config, ImmutableArray<OpenedModel> models, ICollection<string> notes)
    {
        var asked = config.Tokenizer!;
        var vocabularies = ModelVocabulary.ReadAll(models, asked.Place, notes);
        var (draft, files) = Start(asked, models, vocabularies);
        if (asked.Kind == VocabularyKind.Union) VocabularyUnion.AddTo(draft, vocabularies, notes);
        foreach (var token in asked.Tokens) AddAsked(draft, token);
        int rows = draft.Size;
        if (asked.PadToMultipleOf is { } multiple) rows = checked((rows + multiple - 1) / multiple * multiple);
        string beside = draft.Size > draft.Start.Size || draft.IsCut ? $", where {draft.Start.Where} has {draft.Start.Size}" : "";
        notes.Add($"the output's vocabulary has {draft.Size} tokens{beside}; its embedding {rows} rows");
        var maps = new TokenRows(asked, models, vocabularies, hasBase: config.BaseModel is not null).Maps(draft.Tokens, rows, notes);
        return new OutputVocabulary(models, asked, draft, files, maps);
    }

    static (TokenizerDraft, IReadOnlyList<CheckpointFile>) Start(
        TokenizerConfig asked, ImmutableArray<OpenedModel> models, ImmutableArray<ModelVocabulary> vocabularies)
    {
        if (asked.Kind != VocabularyKind.Model)
            return (new TokenizerDraft(vocabularies[0].File, vocabularies[0].Size), models[0].Checkpoint.Files);
        // Of a model that has no part in the merge only the tokenizer is taken.
        int index = OpenedModel.IndexOf(models, asked.Model!);
        var model = index >= 0 ? models[index] : OpenedModel.Open(asked.Model!);
        var file = TokenizerFile.Find(model.Checkpoint.Files, model.Name)
            ?? throw ModelVocabulary.NoTokenizer(model, asked.Place);
        return (new TokenizerDraft(file), model.Checkpoint.Files);
    }

    /// <summary>As in mergekit, a token that the config names becomes a plain added token; what the tokenizer marks special stays
    /// so.</summary>
    static void AddAsked(TokenizerDraft draft, TokenConfig asked)
    {
        if (asked.Token.Length == 0) throw asked.Place.Error("an empty text is no token");
        if (draft.Start.IsAdded(asked.Token) && draft.FindAdded(asked.Token) is { Special: true }) return;
        draft.Add(new AddedToken(0, asked.Token, false, false, false, Normalized: true, Special: false));
    }

    /// <summary>Refuses an output whose rows are not, one by one, those that every model has.</summary>
    /// <param name="method">Which needs it: all models read the same token ids in it.</param>
    /// <exception cref="ConfigurationException">There is a model with other rows.</exception>
    public void RequireUnchanged(string method)
    {
        for (int i = 0; i < _models.Length; i++)
        {
            long own = _models[i].Checkpoint.Find(_models[i].Architecture.Embedding)!.Shape[0];
            if (_maps[i].IsWhole(i, own)) continue;
            string rows = own == _maps[i].Rows ? "its tokens stand at other numbers, or are given other rows" : $"its embedding has {own} rows, the output's {_maps[i].Rows}";
            throw _asked.Place.Error($"{method} lets all models read the same token ids, and with this key the output's vocabulary is not that of "
                + $"{_models[i].Name}: {rows}; leave the key out where the models have one vocabulary, or give them one before the merge: "
                + $"recall tokensurgeon MODEL DONOR OUT");
        }
    }

    /// <summary>True for a tensor whose rows are the vocabulary.</summary>
    public bool Covers(string name)
    {
        var family = _models[0].Architecture;
        if (name == family.Embedding) return true;
        return family.HeadMayBeTied
            && (name == family.Head || name == family.HeadBias || (name.EndsWith(".bias", StringComparison.Ordinal) && name[..^5] + ".weight" == family.Head));
    }

    /// <summary>A model's tensor with the rows of the output's vocabulary.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="model">Which model.</param>
    /// <param name="tensorOf">The tensor of that name of each model.</param>
    /// <exception cref="ConfigurationException">Another model has it in another width, or with too few rows, or not at all.</exception>
    public TensorSource Gather(string name, int model, Func<int, TensorSource?> tensorOf)
    {
        var own = tensorOf(model)!;
        var map = _maps[model];
        var sources = new TensorSource?[_models.Length];
        foreach (var (source, last) in map.LastRows())
        {
            var tensor = sources[source] = tensorOf(source)
                ?? throw Error(source, $"lacks tensor {name}, and {_models[model].Name} takes rows from there");
            bool alike = own.Shape.Rank is 1 or 2 && tensor.Shape.Dimensions.Skip(1).SequenceEqual(own.Shape.Dimensions.Skip(1))
                && tensor.Shape.Rank == own.Shape.Rank;
            if (!alike)
                throw Error(source, $"has {name} of shape {tensor.Shape}, {_models[model].Name} {own.Shape}: rows of one width are expected");
            if (last >= tensor.Shape[0]) throw Error(source, $"has {tensor.Shape[0]} rows in {name}, too few for the token with id {last}");
        }
        return map.IsWhole(model, own.Shape[0]) ? own : new GatheredTensor(own, [.. sources], map);
    }

    ConfigurationException Error(int model, string what) => _asked.Place.Error($"{_models[model].Name} {what}");
}
