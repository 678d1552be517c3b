using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// The base plus scaled task vectors: y = b + λ Σ w_m (x_m − b), the sum divided by Σ w_m with <c>normalize</c>
/// (Ilharco et al., Editing models with task arithmetic, arXiv 2212.04089).
/// </summary>
public sealed class TaskArithmetic : TaskVectorMethod
{
    /// <inheritdoc/>
    public override string Name => "task_arithmetic";

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => ("Task Arithmetic", "https://arxiv.org/abs/2212.04089");

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters =>
        [new("weight", PerModel: true), new("normalize", 0, Flag: true), new("lambda", 1), new("int8_mask", 0, Flag: true)];
}
