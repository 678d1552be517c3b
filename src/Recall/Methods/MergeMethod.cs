using System.Collections.Immutable;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// A merge method: what it is called, which parameters it takes, what it wants of its inputs, and how it merges one tensor. Each method is one
/// file; <see cref="MethodTable"/> lists them. A method holds no state: <see cref="Prepare"/> makes the state of one tensor.
/// </summary>
public abstract class MergeMethod
{
    /// <summary>The name in a merge file: <c>merge_method: ties</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The name for people, and where the method is described: both stand in the model card.</summary>
    public abstract (string Title, string? Source) Reference { get; }

    /// <summary>The parameters, per model or for the whole tensor.</summary>
    public abstract ImmutableArray<MethodParameter> Parameters { get; }

    /// <summary>Whether the result depends on <see cref="TensorInputs.Seed"/>; default: no.</summary>
    public virtual bool IsRandom => false;

    /// <summary>Whether the method takes a base model.</summary>
    public virtual BaseUse Base => BaseUse.Ignored;

    /// <summary>What is done where the models' shapes differ.</summary>
    public virtual ShapeRule Shapes => ShapeRule.Equal;

    /// <summary>
    /// The type of the output where the config names none: the type to which PyTorch promotes the inputs' types; that of the base for methods
    /// that bring the others to it.
    /// </summary>
    public virtual DType ResultType(ImmutableArray<DType> inputs, int baseIndex) =>
        Base == BaseUse.Required && baseIndex >= 0 ? inputs[baseIndex] : inputs.Aggregate(DTypes.Promote);

    /// <summary>Why these inputs cannot be merged, or null. Called while planning, before any weight is read.</summary>
    public virtual string? Check(TensorInputs inputs) => null;

    /// <summary>What the user should know of these inputs, though they can be merged, or null; the same words are shown once a merge.</summary>
    public virtual string? Remark(TensorInputs inputs) => null;

    /// <summary>The state of one tensor's merge. It is also made to plan: what is large is made in the passes.</summary>
    public abstract TensorMerge Prepare(TensorInputs inputs);

    /// <summary>
    /// The same inputs with RECALL's layer weights in place, one a model (0 for a base that is not among the models); null where weights
    /// have no meaning to the method.
    /// </summary>
    public virtual TensorInputs? WithLayerWeights(TensorInputs inputs, ImmutableArray<double> weights) =>
        Parameters.Any(parameter => parameter is { PerModel: true, Name: "weight" })
            ? inputs with { PerModel = inputs.PerModel.SetItem("weight", weights) }
            : null;
}

/// <summary>Whether a method takes a base model.</summary>
public enum BaseUse
{
    /// <summary>A base among the models is one of them.</summary>
    Ignored,
    /// <summary>With a base the method works on task vectors.</summary>
    Optional,
    /// <summary>There must be a base.</summary>
    Required,
}

/// <summary>What is done where the models' shapes of a tensor differ.</summary>
public enum ShapeRule
{
    /// <summary>It is an error.</summary>
    Equal,
    /// <summary>Embeddings and heads are cut to the rows and columns that all have; for other tensors it is an error.</summary>
    CropEmbeddings,
    /// <summary>Embeddings and heads larger than the base's are cut to it; a model whose other tensor differs is left out of it.</summary>
    CropToBaseOrSkip,
}

/// <summary>A parameter that a method takes.</summary>
/// <param name="Name">Its name in a merge file.</param>
/// <param name="Default">Its value where the file gives none; null: the file must give one, unless <paramref name="Optional"/>.</param>
/// <param name="PerModel">True: each model has its own value.</param>
/// <param name="Optional">True: may be absent, and is NaN then.</param>
/// <param name="Flag">True: 0 or 1 (or false and true).</param>
/// <param name="Whole">True: a whole number.</param>
public sealed record MethodParameter(
    string Name, double? Default = null, bool PerModel = false, bool Optional = false, bool Flag = false, bool Whole = false);
