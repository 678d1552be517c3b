using System.Collections.Immutable;
using Recall.Configuration.Yaml;

namespace Recall.Configuration;

/// <summary>How the output's tokenizer is made: mergekit's <c>tokenizer</c>, or the older <c>tokenizer_source</c>.</summary>
/// <param name="Kind">Which vocabulary.</param>
/// <param name="Model">The model whose vocabulary it is, with <see cref="VocabularyKind.Model"/>.</param>
/// <param name="Tokens">Where the embeddings of single tokens come from.</param>
/// <param name="PadToMultipleOf">The number of embedding rows is rounded up to a multiple of this.</param>
/// <param name="Place">Where it stands.</param>
public sealed record TokenizerConfig(
    VocabularyKind Kind, ModelReference? Model, ImmutableArray<TokenConfig> Tokens, int? PadToMultipleOf, Place Place)
{
    internal TokenizerConfig WithModels(Func<ModelReference, ModelReference> change) => this with
    {
        Model = Model is null ? null : change(Model),
        Tokens = [.. Tokens.Select(token => token with { Source = Changed(token.Source, change) })],
    };

    static TokenSource Changed(TokenSource source, Func<ModelReference, ModelReference> change) => source switch
    {
        TokenSource.SameToken same => same with { Model = change(same.Model) },
        TokenSource.OtherToken other => other with { Model = change(other.Model) },
        _ => source,
    };

    internal static TokenizerConfig? Read(YamlSection section)
    {
        var legacy = section.Take("tokenizer_source");
        var tokenizer = section.TakeSection("tokenizer");
        if (legacy is not null && tokenizer is not null)
            throw section.At(legacy, "tokenizer_source").Error("'tokenizer_source' and 'tokenizer' exclude each other");
        if (legacy is not null)
        {
            var place = section.At(legacy, "tokenizer_source");
            var (kind, model) = ReadSource(legacy, place);
            return new TokenizerConfig(kind, model, [], null, place);
        }
        if (tokenizer is null) return null;
        var source = tokenizer.Take("source");
        var (vocabulary, from) = source is null ? (VocabularyKind.Union, null) : ReadSource(source, tokenizer.At(source, "source"));
        var tokens = ImmutableArray.CreateBuilder<TokenConfig>();
        if (tokenizer.TakeSection("tokens") is { } list)
        {
            foreach (var entry in list.Entries)
            {
                var token = list.TakeSection(entry.Key) ?? throw list.At(entry.Value, entry.Key).Error("'source' is expected here");
                tokens.Add(TokenConfig.Read(entry.Key, token));
            }
        }
        int? multiple = tokenizer.TakeInteger("pad_to_multiple_of", 1, 1 << 20);
        tokenizer.Finish();
        return new TokenizerConfig(vocabulary, from, tokens.ToImmutable(), multiple, tokenizer.Place);
    }

    static (VocabularyKind, ModelReference?) ReadSource(YamlNode node, Place place) => node switch
    {
        YamlScalar { Text: "union" } => (VocabularyKind.Union, null),
        YamlScalar { Text: "base" } => (VocabularyKind.Base, null),
        _ => (VocabularyKind.Model, ModelReference.Read(node, place)),
    };
}

/// <summary>Whose vocabulary the output has.</summary>
public enum VocabularyKind
{
    /// <summary>The base's, then the tokens that only other models have.</summary>
    Union,
    /// <summary>The base's.</summary>
    Base,
    /// <summary>A named model's.</summary>
    Model,
}

/// <summary>Where the embedding of one token comes from.</summary>
/// <param name="Token">The token.</param>
/// <param name="Source">Its source; null for models that lack it: the default.</param>
/// <param name="Force">True: also in models that have the token.</param>
/// <param name="Place">Where it stands.</param>
public sealed record TokenConfig(string Token, TokenSource Source, bool Force, Place Place)
{
    internal static TokenConfig Read(string token, YamlSection section)
    {
        var node = section.Take("source") ?? throw section.Missing("source", "a model, {kind: zero}, or {kind: model_token, model, token}");
        var place = section.At(node, "source");
        bool force = section.TakeBoolean("force") ?? false;
        section.Finish();
        return new TokenConfig(token, ReadSource(node, place), force, section.Place);
    }

    static TokenSource ReadSource(YamlNode node, Place place)
    {
        if (node is not YamlMapping mapping || mapping.Entries.All(entry => entry.Key != "kind"))
            return new TokenSource.SameToken(ModelReference.Read(node, place));
        var section = new YamlSection(mapping, place.File, place.Path);
        if (section.TakeWord("kind", "zero", "model_token") == "zero")
        {
            section.Finish();
            return new TokenSource.Zero();
        }
        var from = section.Take("model") ?? throw section.Missing("model");
        var model = ModelReference.Read(from, section.At(from, "model"));
        string? text = section.TakeText("token");
        int? id = section.TakeInteger("token_id", 0, int.MaxValue);
        section.Finish();
        if (text is null == id is null) throw section.Place.Error("exactly one of 'token' and 'token_id' is expected");
        return new TokenSource.OtherToken(model, text, id);
    }
}

/// <summary>A source of one embedding row.</summary>
public abstract record TokenSource
{
    /// <summary>A row of zeros.</summary>
    public sealed record Zero : TokenSource;

    /// <summary>A model's row for the same token.</summary>
    public sealed record SameToken(ModelReference Model) : TokenSource;

    /// <summary>A model's row for another token, by its text or by its id.</summary>
    public sealed record OtherToken(ModelReference Model, string? Token, int? Id) : TokenSource;
}
