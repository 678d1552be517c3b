using Recall.Tokenization;

namespace Recall.TokenSurgery;

/// <summary>The donor's tokens, and how each may be found in the base.</summary>
sealed record NewVocabulary(
    TokenizerFile Donor, TokenKeys Keys, TokenMatches Matches, SubwordRows? Subwords, SurgeryOptions Options, long Seed);
