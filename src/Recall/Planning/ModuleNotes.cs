using System.Collections.Immutable;
using Recall.Configuration;

namespace Recall.Planning;

/// <summary>What the user should know of how the models' tensors were understood.</summary>
static class ModuleNotes
{
    /// <summary>A family that was inferred; names in another layout; modules that the config leaves out, with what is lost.</summary>
    public static IEnumerable<string> Of(MergeConfig config, ImmutableArray<OpenedModel> models)
    {
        var donor = models[0];
        var architecture = donor.Architecture;
        // Bare files of weights name no family, and nobody expects one.
        if (!architecture.IsKnown && donor.Checkpoint.Config.Count > 0)
        {
            string why = donor.Checkpoint.Architecture is { } promised
                ? $"no tensor is named as those of {promised.ClassNames[0]}" : "the architecture is not in Recall's table";
            yield return $"{donor.Name}: {why}: layers are inferred from the names of the tensors: {Told(donor)}";
        }
        foreach (var model in models.Skip(1))
            if (model.IsOfFamily(architecture) && model.Architecture.Layout != architecture.Layout)
                yield return $"{model.Name}: names its tensors {model.Architecture.LayerPrefix}*, {donor.Name} {architecture.LayerPrefix}*: taken for "
                    + "the same, and named as in the latter";
        if (config.Modules.Length == 0) yield break;
        foreach (var module in architecture.Modules)
        {
            if (config.Modules.Any(entry => entry.Name == module.Name)) continue;
            int count = donor.Checkpoint.Tensors.Count(tensor => architecture.ModuleOf(tensor.Name) == module.Name);
            if (count > 0) yield return $"modules: {Quoted.Of(module.Name)} is not listed: its {count} tensors are left out";
        }
    }

    static string Told(OpenedModel model)
    {
        var places = model.Architecture.Modules.Where(module => module.LayerPrefix.Length > 0)
            .Select(module => $"{module.LayerPrefix}* ({model.LayersOf(module)})").ToList();
        return places.Count == 0 ? "there are none" : string.Join(", ", places);
    }
}
