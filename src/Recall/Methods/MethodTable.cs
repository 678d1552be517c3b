using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>The merge methods by name. A new method is one file and one entry here.</summary>
public static class MethodTable
{
    /// <summary>All methods.</summary>
    public static readonly ImmutableArray<MergeMethod> All =
    [
        new Linear(), new Slerp(), new NuSlerp(), new MultiSlerp(), new Karcher(), new Passthrough(),
        new TaskArithmetic(), new Ties(), new DareLinear(), new DareTies(), new Breadcrumbs(), new BreadcrumbsTies(), new Della(), new DellaLinear(),
        new ModelStock(), new NearSwap(), new Sce(), new Ram(), new RamPlusTl(), new ArceeFusion(),
    ];

    /// <summary>The method of that name, or null.</summary>
    public static MergeMethod? Find(string name) => All.FirstOrDefault(method => method.Name == name);
}
