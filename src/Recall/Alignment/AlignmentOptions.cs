using Recall.Configuration;

namespace Recall.Alignment;

/// <summary>A merge by what the layers do: least squares on the inputs of every linear layer.</summary>
public enum AlignmentKind
{
    /// <summary>Each expert's update on its own inputs: from cards or texts.</summary>
    Align,
    /// <summary>The experts' own outputs on the merged model's inputs, from the bottom up: distillation in closed form.</summary>
    Distil,
    /// <summary>RegMean (arXiv 2212.09849).</summary>
    RegMean,
    /// <summary>RegMean++ (arXiv 2508.03121): inputs that come from the merged blocks below.</summary>
    RegMeanPlusPlus,
}

/// <summary>How statistics are weighed and systems solved.</summary>
public sealed record AlignmentOptions
{
    /// <summary>The ridge of align, and of the aligned weight from which distil starts.</summary>
    public const double AlignRidge = 1e-3;

    /// <summary>The ridge of distil.</summary>
    public const double DistilRidge = 1e-2;

    /// <summary>What is solved.</summary>
    public required AlignmentKind Kind { get; init; }

    /// <summary>Weight of the tokens that predict the answer, beside 1 for all tokens; default 1. RegMean takes all tokens alike.</summary>
    public double Answers { get; init; } = 1;

    /// <summary>Added to the diagonal, in units of its mean; null: 1e-3 for align, 1e-2 for distil. RegMean has none.</summary>
    public double? Ridge { get; init; }

    /// <summary>Factor of the entries off the diagonal of every second moment; default 1. Not for distil.</summary>
    public double OffDiagonal { get; init; } = 1;

    /// <summary>
    /// Weigh each expert by what its task asks for (<see cref="ExpertDemand"/>); null, the default: where an expert has a card only, or the merged
    /// model keeps nothing else. Not for RegMean.
    /// </summary>
    public bool? Demand { get; init; }

    /// <summary>
    /// The type of the products in forward passes; default float32. Hidden states and statistics are float32 in any case; with bfloat16, on
    /// a CPU that multiplies it in hardware, the passes take a third of the time.
    /// </summary>
    public ComputeType Compute { get; init; } = ComputeType.Float32;

    /// <summary>
    /// Keep the texts' hidden states in temporary files; null, the default: where they would take more than a quarter of the memory.
    /// </summary>
    public bool? StatesOnDisk { get; init; }

    /// <summary>Eigenvectors of a merged model's card by default.</summary>
    public const int DefaultCardRank = 64;

    internal bool IsRegMean => Kind is AlignmentKind.RegMean or AlignmentKind.RegMeanPlusPlus;

    internal double FirstRidge => Kind == AlignmentKind.Align ? Ridge ?? AlignRidge : AlignRidge;
}
