using System.Collections.Immutable;
using Recall.Tokenization;

namespace Recall.Planning;

/// <summary>
/// The tokens that only some models have, appended to the base's: first those of the models' own vocabularies, then the added ones, model after model,
/// by ascending id. Of settings that differ the first hold.
/// </summary>
static class VocabularyUnion
{
    public static void AddTo(TokenizerDraft draft, ImmutableArray<ModelVocabulary> vocabularies, ICollection<string> notes)
    {
        foreach (var vocabulary in vocabularies)
        {
            if (ReferenceEquals(vocabulary.File, draft.Start)) continue;
            foreach (var (token, _) in vocabulary.File.Tokens.TakeWhile(token => token.Id < vocabulary.Size))
                if (!vocabulary.File.IsAdded(token) && draft.IdOf(token) is null)
                    draft.Add(new AddedToken(0, token, false, false, false, Normalized: true, Special: false));
        }
        var defined = draft.Start.Added.Where(token => token.Id < vocabularies[0].Size).ToDictionary(token => token.Content, token => (token, vocabularies[0].Model), StringComparer.Ordinal);
        foreach (var vocabulary in vocabularies)
        {
            foreach (var token in vocabulary.File.Added.Where(token => token.Id < vocabulary.Size))
            {
                if (defined.TryAdd(token.Content, (token, vocabulary.Model))) draft.Add(token);
                else if (defined[token.Content] is var (first, model) && first with { Id = token.Id } != token)
                    notes.Add($"added token {Quoted.Of(token.Content)} has other settings in {vocabulary.Model} than in {model}: those of the latter hold");
            }
        }
    }
}
