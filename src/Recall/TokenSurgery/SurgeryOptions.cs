using Recall.Configuration;

namespace Recall.TokenSurgery;

/// <summary>How the row of a token is made that the base does not have.</summary>
public enum Approximation
{
    /// <summary>Orthogonal matching pursuit: the donor's row as a sum of few rows of shared tokens; the same sum of the base's.</summary>
    Omp,
    /// <summary>The nearest shared tokens in the donor, weighted by <see cref="WeightScheme"/>; the same of the base's.</summary>
    CommonInterpolation,
    /// <summary>Of the tokens as which the base reads the token's text.</summary>
    Subword,
    /// <summary>The mean of all rows of the base.</summary>
    Mean,
    /// <summary>Zeros.</summary>
    Zero,
    /// <summary>Normal numbers of the standard deviation of the base's elements.</summary>
    Randn,
    /// <summary>
    /// Drawn from the normal distribution of the base's rows, its covariance times 1e-5: near the mean, and not all the same (J. Hewitt, "Initializing new
    /// word embeddings for pretrained language models", 2021).
    /// </summary>
    JohnHewitt,
    /// <summary>
    /// A linear map from the donor's rows to the base's, fitted to the shared tokens, carries the donor's row over (after T. Mikolov et al., "Exploiting
    /// similarities among languages for machine translation", arXiv 1309.4168).
    /// </summary>
    LandmarkPca,
    /// <summary>K shared tokens, the same for all: the donor's row as a sum of theirs, around the mean; the same sum of the base's.</summary>
    SparseTokenBasis,
    /// <summary><see cref="Omp"/> over the shared rows and these rows turned by a rotary position; the base's rows are turned with the base's angles.</summary>
    RopePursuit,
}

/// <summary>The weights of neighbours.</summary>
public enum WeightScheme
{
    /// <summary>1 / distance, of sum 1.</summary>
    DistanceProportional,
    /// <summary>Those of sum 1 that come nearest to the donor's row.</summary>
    Barycentric,
    /// <summary>Those that come nearest to the donor's row.</summary>
    LeastSquares,
}

/// <summary>What is made of the rows of a token's parts.</summary>
public enum SubwordMethod
{
    /// <summary>Their mean.</summary>
    Mean,
    /// <summary>Their sum.</summary>
    Sum,
    /// <summary>Their mean, weighted by the lengths of the parts.</summary>
    WeightedMean,
    /// <summary>In the head the first one, in the embedding the last one.</summary>
    FirstLast,
}

/// <summary>Where a way of matching tokens counts.</summary>
public enum MatchScope
{
    /// <summary>Nowhere.</summary>
    No,
    /// <summary>In the head.</summary>
    Head,
    /// <summary>In the embedding.</summary>
    Embedding,
    /// <summary>In both.</summary>
    Yes,
}

/// <summary>How a model gets another's vocabulary; names and defaults are those of mergekit-tokensurgeon.</summary>
public sealed record SurgeryOptions
{
    /// <summary>The model that keeps its weights.</summary>
    public required ModelReference Model { get; init; }

    /// <summary>The model that gives its tokenizer.</summary>
    public required ModelReference Donor { get; init; }

    /// <summary>How new rows are made; default <see cref="Approximation.Omp"/>.</summary>
    public Approximation Method { get; init; } = Approximation.Omp;

    /// <summary>Whether the method makes new rows by means of the tokens that both models have.</summary>
    public bool IsOfSharedTokens => Method is Approximation.Omp or Approximation.CommonInterpolation or Approximation.LandmarkPca
        or Approximation.SparseTokenBasis or Approximation.RopePursuit;

    /// <summary>Shared tokens that make up a new row; default 64.</summary>
    public int K { get; init; } = 64;

    /// <summary>Neighbours are those of the smallest angle; by default those of the smallest distance.</summary>
    public bool Cosine { get; init; }

    /// <summary>Weights of neighbours.</summary>
    public WeightScheme Weights { get; init; } = WeightScheme.DistanceProportional;

    /// <summary>What becomes of a token's parts.</summary>
    public SubwordMethod Subword { get; init; } = SubwordMethod.Mean;

    /// <summary>A token without its like gets the row of the longest token with which it begins. Default: nowhere.</summary>
    public MatchScope PrefixMatch { get; init; }

    /// <summary><c>&lt;0x41&gt;</c> and the token <c>A</c> are the same. Default: nowhere.</summary>
    public MatchScope ByteMatch { get; init; }

    /// <summary>
    /// New rows are not made of shared tokens that look hardly trained in one of the models: see <see cref="TokenSurgeonPlan.Prepare"/>. Default: false.
    /// </summary>
    public bool Magikarp { get; init; }

    /// <summary>Standard deviation of normal noise on new rows; default 0.</summary>
    public double NewVocabNoise { get; init; }

    /// <summary>Factor of new rows; default 1.</summary>
    public double NewVocabScale { get; init; } = 1;
}
