using System.Text.Json.Nodes;
using Recall.Tokenization;

namespace Recall.Planning;

/// <summary>
/// Numbers of tokens in config.json and generation_config.json (<c>eos_token_id</c> and the like): they follow the token into the output's
/// vocabulary.
/// mergekit keeps the number, which then means another token.
/// </summary>
static class TokenNumbers
{
    const string Ending = "_token_id";

    /// <summary>Changes the numbers; true where there was something to change.</summary>
    /// <param name="json">The file's content.</param>
    /// <param name="name">The file's name, for notes.</param>
    /// <param name="vocabulary">The output's vocabulary.</param>
    /// <param name="donor">The model whose file it is.</param>
    /// <param name="notes">Gets what was changed.</param>
    public static bool Follow(JsonObject json, string name, OutputVocabulary vocabulary, OpenedModel donor, ICollection<string> notes)
    {
        if (ReferenceEquals(vocabulary.Files, donor.Checkpoint.Files) && !vocabulary.Draft.IsCut) return false;
        if (TokenizerFile.Find(donor.Checkpoint.Files, donor.Name) is not { } before) return false;
        bool changed = false;
        foreach (string key in json.Select(entry => entry.Key).Where(key => key.EndsWith(Ending, StringComparison.Ordinal)).ToList())
        {
            var old = json[key]!;
            var made = old is JsonArray list ? new JsonArray([.. list.Select(Followed).Where(item => item is not null)]) : Followed(old);
            if (JsonNode.DeepEquals(old, made)) continue;
            notes.Add($"{name}: {key} was {old.ToJsonString()}, which is {made?.ToJsonString() ?? "no token"} in the output's vocabulary");
            json[key] = made;
            changed = true;
        }
        return changed;

        JsonNode? Followed(JsonNode? number)
        {
            if (number is not JsonValue value || !value.TryGetValue(out int id)) return number?.DeepClone();
            if (before.TokenOf(id) is not { } token) return number.DeepClone();
            return vocabulary.Draft.IdOf(token) is { } now ? JsonValue.Create(now) : null;
        }
    }
}
