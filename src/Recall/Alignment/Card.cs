namespace Recall.Alignment;

/// <summary>
/// What an expert leaves behind to be aligned later without its data (<c>card.safetensors</c>): the second moments of what its linear
/// layers read, and no text. Moments are read one at a time.
/// </summary>
public sealed class Card
{
    readonly Func<string, SecondMoment> _read;

    internal Card(string path, Func<string, SecondMoment> read) => (Path, _read) = (path, read);

    /// <summary>Where it lies.</summary>
    public string Path { get; }

    /// <summary>How many experts it stands for: 1, or those in a merged model.</summary>
    public int Experts { get; init; } = 1;

    /// <summary>Weight of the answer's tokens in it.</summary>
    public double Answers { get; init; } = 1;

    /// <summary>
    /// What its expert's task asks for (<see cref="ExpertDemand"/>), 0 to ½; null where it was made without the base, and for a merged model.
    /// </summary>
    public double? Demand { get; init; }

    /// <summary>Whether its expert can be weighed by its demand: that is known, or the experts of a merged model are weighed in it.</summary>
    public bool IsWeighed { get; init; }

    /// <summary>What its moments count in a merge by demand.</summary>
    internal double Weight => Demand is { } demand ? ExpertDemand.Weight(demand) : 1;

    /// <summary>Number of texts' tokens in it.</summary>
    public long Tokens { get; init; }

    /// <summary>Eigenvectors a moment; null: whole matrices.</summary>
    public int? Rank { get; init; }

    /// <summary>The print of the model that it belongs to: names, shapes and first values of its tensors, hashed.</summary>
    public string Model { get; init; } = "";

    /// <summary>SHA-256 of the tokens of its texts; all zeros where a merged model has it from cards.</summary>
    public string Samples { get; init; } = "";

    /// <summary>The names of its inputs and their sizes, from the bottom up.</summary>
    public IReadOnlyList<(string Name, int Size)> Inputs { get; init; } = [];

    /// <summary>The moment of an input; the caller's to dispose.</summary>
    internal SecondMoment Read(string input) => _read(input);
}
