using Recall.Planning;
using Recall.Representations;

namespace Recall;

/// <summary>What a merge did.</summary>
/// <param name="Plan">The plan that was followed.</param>
/// <param name="Weights">Samples, similarities and weights of a merge by representations; null otherwise.</param>
public sealed record MergeResult(MergePlan Plan, WeightsFile? Weights);
