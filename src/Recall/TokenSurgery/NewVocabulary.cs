using Recall.Tokenization;

namespace Recall.TokenSurgery;

/// <summary>The donor's tokens, and how each may be found in the base.</summary>
/// <param name="Base">The base's tokens.</param>
/// <param name="Donor">The donor's.</param>
/// <param name="Keys">What the donor's mean.</param>
/// <param name="Matches">Which row of the base each has.</param>
/// <param name="Subwords">How the base reads their texts, where the method asks.</param>
/// <param name="Options">How new rows are made.</param>
/// <param name="Seed">Of random numbers.</param>
sealed record NewVocabulary(
    TokenizerFile Base, TokenizerFile Donor, TokenKeys Keys, TokenMatches Matches, SubwordRows? Subwords, SurgeryOptions Options, long Seed)
{
    /// <summary>The rotary pairs of base and donor, where the method turns rows.</summary>
    public (RotaryPairs Base, RotaryPairs Donor)? Pairs { get; init; }
}
