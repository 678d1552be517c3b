using System.Collections.Immutable;
using Recall.Configuration;
using Recall.Methods;

namespace Recall.Planning;

/// <summary>
/// How the layer weights of a merge by representations reach the method that merges (<c>recall: {combine: …}</c>).
/// </summary>
/// <param name="Method">The method that merges.</param>
/// <param name="Options">The options of <c>recall</c>.</param>
/// <param name="Models">The models that have a weight, as the plan numbers them, in the order of the file.</param>
/// <param name="Reference">The model with which the others are compared: an index of <see cref="Models"/>.</param>
public sealed record LayerWeighting(MergeMethod Method, RecallOptions Options, ImmutableArray<int> Models, int Reference)
{
    /// <summary>True where the base model takes part beside the models that have a weight.</summary>
    public bool NeedsBase => Method.Base == BaseUse.Required && Method is not Slerp;

    /// <summary>The same weight for every model.</summary>
    public ImmutableArray<double> Uniform => [.. Models.Select(_ => 1.0 / Models.Length)];

    /// <summary>The inputs of a tensor with the weights of its layer.</summary>
    /// <param name="inputs">The tensor.</param>
    /// <param name="weights">One a model, in the order of <see cref="Models"/>.</param>
    public TensorInputs Apply(TensorInputs inputs, ImmutableArray<double> weights)
    {
        var each = inputs.Models.Select(model => Models.IndexOf(model) is var i and >= 0 ? weights[i] : 0).ToImmutableArray();
        return Method.WithLayerWeights(inputs, each)
            ?? throw Options.Place.Error($"combine: the method {Method.Name} has no use for layer weights of {inputs.Count} models; methods with a "
                + "weight for each model have (linear, nuslerp, multislerp, task_arithmetic, ties, dare_ties, …), and for two models slerp");
    }
}
