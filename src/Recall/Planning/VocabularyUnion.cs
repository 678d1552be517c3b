using System.Collections.Immutable;
using Recall.Tokenization;

namespace Recall.Planning;

/// <summary>
/// The tokens that only some models have, appended to the base's: first those of the models' own vocabularies, then the added ones, model
/// after model, by ascending id. Of settings that differ the first hold.
/// </summary>
static class VocabularyUnion
{
    const int MostNamed = 5;

    public static void AddTo(TokenizerDraft draft, ImmutableArray<ModelVocabulary> vocabularies, ICollection<string> notes)
    {
        foreach (var vocabulary in vocabularies)
        {
            if (ReferenceEquals(vocabulary.File, draft.Start)) continue;
            foreach (var (token, _) in vocabulary.File.Tokens.TakeWhile(token => token.Id < vocabulary.Size))
                if (!vocabulary.File.IsAdded(token) && draft.IdOf(token) is null)
                    draft.Add(new AddedToken(0, token, false, false, false, Normalized: true, Special: false));
        }
        var defined = draft.Start.Added.Where(token => token.Id < vocabularies[0].Size)
            .ToDictionary(token => token.Content, StringComparer.Ordinal);
        foreach (var vocabulary in vocabularies)
        {
            var other = new List<string>();
            foreach (var token in vocabulary.File.Added.Where(token => token.Id < vocabulary.Size))
            {
                if (defined.TryAdd(token.Content, token)) draft.Add(token);
                else if (defined[token.Content] with { Id = token.Id } != token) other.Add(token.Content);
            }
            if (other.Count == 0) continue;
            string more = other.Count > MostNamed ? $" and {other.Count - MostNamed} more" : "";
            string named = string.Join(", ", other.Take(MostNamed).Select(Quoted.Of));
            notes.Add($"added tokens {named}{more} have other settings in {vocabulary.Model} than in a model before it, whose settings hold");
        }
    }
}
