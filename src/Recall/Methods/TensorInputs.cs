using System.Collections.Immutable;
using Recall.Checkpoints;

namespace Recall.Methods;

/// <summary>One output tensor as its method sees it: shape, models, and the values of all parameters for it.</summary>
public sealed record TensorInputs
{
    /// <summary>Name of the output tensor.</summary>
    public required string Name { get; init; }

    /// <summary>Shape of the output and of every input.</summary>
    public required Shape Shape { get; init; }

    /// <summary>The models that have the tensor, as the plan numbers them; the order is that of the inputs. Random numbers are keyed by them.</summary>
    public required ImmutableArray<int> Models { get; init; }

    /// <summary>Names of <see cref="Models"/>, for messages.</summary>
    public required ImmutableArray<string> ModelNames { get; init; }

    /// <summary>Which of the inputs is the base model's; −1 where there is none.</summary>
    public int BaseIndex { get; init; } = -1;

    /// <summary>True for token embeddings and the head.</summary>
    public bool IsEmbedding { get; init; }

    /// <summary>True where the family's models may lack the tensor.</summary>
    public bool IsOptional { get; init; }

    /// <summary>Values of the parameters that hold for the whole tensor; NaN where an optional one is absent.</summary>
    public ImmutableDictionary<string, double> Values { get; init; } = ImmutableDictionary<string, double>.Empty;

    /// <summary>Values of the parameters that each input has for itself, in the order of the inputs; NaN where an optional one is absent.</summary>
    public ImmutableDictionary<string, ImmutableArray<double>> PerModel { get; init; } = ImmutableDictionary<string, ImmutableArray<double>>.Empty;

    /// <summary>The run's random seed.</summary>
    public long Seed { get; init; }

    /// <summary>Number of inputs.</summary>
    public int Count => Models.Length;

    /// <summary>The inputs that are not the base.</summary>
    public IEnumerable<int> Others
    {
        get
        {
            int baseIndex = BaseIndex;
            return Enumerable.Range(0, Count).Where(i => i != baseIndex);
        }
    }

    /// <summary>The same tensor with some of the inputs only.</summary>
    public TensorInputs Only(IReadOnlyList<int> keep)
    {
        int baseIndex = BaseIndex;
        return this with
        {
            Models = [.. keep.Select(i => Models[i])],
            ModelNames = [.. keep.Select(i => ModelNames[i])],
            BaseIndex = baseIndex < 0 ? -1 : keep.ToList().IndexOf(baseIndex),
            PerModel = PerModel.ToImmutableDictionary(entry => entry.Key, entry => keep.Select(i => entry.Value[i]).ToImmutableArray()),
        };
    }

    /// <summary>A flag's value.</summary>
    public bool Flag(string name) => Values[name] != 0;
}
