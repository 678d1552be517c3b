using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>The merge methods by name. A new method is one file and one entry here.</summary>
public static class MethodTable
{
    /// <summary>All methods.</summary>
    public static readonly ImmutableArray<MergeMethod> All = [new Linear(), new Slerp(), new TaskArithmetic(), new Passthrough()];

    /// <summary>The method of that name, or null.</summary>
    public static MergeMethod? Find(string name) => All.FirstOrDefault(method => method.Name == name);
}
