using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;

namespace Recall.Planning;

/// <summary>
/// Chooses, for every token of the output's vocabulary and every model, the row that the model has for it. A model that has the token keeps
/// its own row, unless the config forces another; one that lacks it gets the row that the config names, or else: the only model's that has
/// it; the base's, if it has it; the mean over the models that have it; zeros where none has.
/// </summary>
sealed class TokenRows
{
    const int MostNamed = 5;

    readonly ImmutableArray<OpenedModel> _models;
    readonly ImmutableArray<ModelVocabulary> _vocabularies;
    readonly Dictionary<string, TokenConfig> _asked;
    readonly bool _hasBase;
    readonly List<string> _nowhere = [];

    public TokenRows(TokenizerConfig asked, ImmutableArray<OpenedModel> models, ImmutableArray<ModelVocabulary> vocabularies, bool hasBase)
    {
        (_models, _vocabularies, _hasBase) = (models, vocabularies, hasBase);
        _asked = asked.Tokens.ToDictionary(token => token.Token, StringComparer.Ordinal);
    }

    /// <summary>One map a model. Rows behind the last token are padding: the mean of all others.</summary>
    /// <param name="tokens">The output's tokens, by id; null for an id without one.</param>
    /// <param name="rows">Rows of the output's embedding.</param>
    /// <param name="notes">Gets what the user should know.</param>
    /// <exception cref="ConfigurationException">A token that its source lacks.</exception>
    public ImmutableArray<RowMap> Maps(ImmutableArray<string?> tokens, int rows, ICollection<string> notes)
    {
        var maps = _models.Select(_ => new RowMapBuilder()).ToList();
        var own = new int?[_models.Length];
        foreach (string? token in tokens)
        {
            for (int i = 0; i < own.Length; i++) own[i] = token is null ? null : _vocabularies[i].RowOf(token);
            var asked = token is null ? null : _asked.GetValueOrDefault(token);
            bool allKeep = asked is null && !own.Contains(null);
            var given = allKeep ? [] : asked is null ? Default(token, own) : Asked(asked);
            for (int i = 0; i < own.Length; i++)
            {
                if (own[i] is { } row && asked is not { Force: true }) maps[i].Add(i, row);
                else if (given is []) maps[i].Add(RowMap.Zero, 0);
                else if (given is [var single]) maps[i].Add(single.Source, single.Row);
                else maps[i].AddMean(given);
            }
        }
        foreach (var map in maps) map.Add(RowMap.MeanOfAll, 0, rows - tokens.Length);
        if (_nowhere.Count > 0)
        {
            string more = _nowhere.Count > MostNamed ? $" and {_nowhere.Count - MostNamed} more" : "";
            notes.Add($"no model has a row for {string.Join(", ", _nowhere.Take(MostNamed).Select(Quoted.Of))}{more}: zeros");
        }
        return [.. maps.Select(map => map.Build())];
    }

    /// <summary>The row for models that lack a token: none (zeros), one, or several, whose mean it is.</summary>
    ImmutableArray<SourceRow> Default(string? token, int?[] own)
    {
        if (_hasBase && own[0] is { } ofBase) return [new SourceRow(0, ofBase)];
        var have = ImmutableArray.CreateBuilder<SourceRow>();
        for (int i = 0; i < own.Length; i++)
            if (own[i] is { } row) have.Add(new SourceRow(i, row));
        if (have.Count == 0 && token is not null) _nowhere.Add(token);
        return have.ToImmutable();
    }

    ImmutableArray<SourceRow> Asked(TokenConfig asked)
    {
        switch (asked.Source)
        {
            case TokenSource.SameToken(var reference):
                int model = IndexOf(reference, asked);
                return [new SourceRow(model, _vocabularies[model].RowOf(asked.Token) ?? throw Lacks(asked, model, asked.Token))];
            case TokenSource.OtherToken(var reference, var text, var id):
                int other = IndexOf(reference, asked), rows = _vocabularies[other].Rows;
                int row = id ?? _vocabularies[other].File.IdOf(text!) ?? throw Lacks(asked, other, text!);
                string told = id is null ? $"token {Quoted.Of(text!)} with id {row}" : $"token_id {row}";
                if (row >= rows) throw asked.Place.Error($"{_models[other].Name} has {rows} embedding rows, none for {told}");
                return [new SourceRow(other, row)];
            default:
                return [];
        }
    }

    int IndexOf(ModelReference reference, TokenConfig asked)
    {
        int index = OpenedModel.IndexOf(_models, reference);
        if (index >= 0) return index;
        string here = string.Join(", ", _models.Select(model => model.Name));
        throw asked.Place.Error($"{reference} has no part in the merge; models here: {here}");
    }

    ConfigurationException Lacks(TokenConfig asked, int model, string token)
    {
        var alike = _vocabularies[model].File.Tokens.Select(each => each.Token).Where(each => Math.Abs(each.Length - token.Length) <= 2);
        string? near = Quoted.Nearest(token, alike);
        string hint = near is null ? "" : $"; did you mean {Quoted.Of(near)}?";
        return asked.Place.Error($"{_models[model].Name} has no token {Quoted.Of(token)}{hint}");
    }
}
