using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Configuration.Yaml;
using Recall.Tokenization;

namespace Recall.Planning;

/// <summary>Which rows of a model's embedding belong to which tokens.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="File">Its tokens.</param>
/// <param name="Size">vocab_size of its config.json: tokens with ids from here on have no row of their own.</param>
/// <param name="Rows">Rows of its embedding.</param>
sealed record ModelVocabulary(string Model, TokenizerFile File, int Size, int Rows)
{
    /// <summary>The row of a token; null where the model lacks it.</summary>
    public int? RowOf(string token) => File.IdOf(token) is { } id && id < Size ? id : null;

    /// <summary>The vocabularies of all models. One without a tokenizer is taken to have the first one's, as in mergekit.</summary>
    /// <param name="models">The models; the first one leads.</param>
    /// <param name="place">Where the config asks for a vocabulary.</param>
    /// <param name="notes">Gets what the user should know.</param>
    /// <exception cref="RecallException">No tokenizer where one is needed, a broken one, or more tokens than the embedding has
    /// rows.</exception>
    public static ImmutableArray<ModelVocabulary> ReadAll(ImmutableArray<OpenedModel> models, Place place, ICollection<string> notes)
    {
        var vocabularies = ImmutableArray.CreateBuilder<ModelVocabulary>();
        foreach (var model in models)
        {
            var file = TokenizerFile.Find(model.Checkpoint.Files, model.Name);
            if (file is null)
            {
                if (vocabularies.Count == 0) throw NoTokenizer(model, place);
                file = vocabularies[0].File;
                notes.Add($"{model.Name} has no tokenizer: it is taken to have that of {models[0].Name}");
            }
            var (size, rows) = Extent(model, place);
            vocabularies.Add(new ModelVocabulary(model.Name, file, size, rows));
        }
        return vocabularies.ToImmutable();
    }

    /// <summary>The error for a model whose vocabulary is needed and that has none.</summary>
    public static ConfigurationException NoTokenizer(OpenedModel model, Place place) =>
        place.Error($"{model.Name} has no tokenizer.json, and its vocabulary is asked for; copy its tokenizer beside it");

    static (int Size, int Rows) Extent(OpenedModel model, Place place)
    {
        string name = model.Architecture.Embedding;
        if (model.Checkpoint.Find(name) is not { Shape.Rank: 2 } embedding)
            throw place.Error($"{model.Name} has no embedding that Recall knows ({name} is expected): its vocabulary cannot be changed");
        if (embedding.Shape[0] > int.MaxValue)
            throw place.Error($"{model.Name}: {name} has {embedding.Shape[0]} rows: more than any vocabulary");
        int rows = (int)embedding.Shape[0];
        var config = model.Checkpoint.Config;
        int size = Number(config["vocab_size"]) ?? Number((config["text_config"] as JsonObject)?["vocab_size"]) ?? rows;
        if (size > rows) throw place.Error($"{model.Name}: config.json says vocab_size {size}, but {name} has {rows} rows");
        return (size, rows);
    }

    static int? Number(JsonNode? node) => node is JsonValue value && value.TryGetValue(out int number) && number >= 0 ? number : null;
}
