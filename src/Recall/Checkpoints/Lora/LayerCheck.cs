using System.Globalization;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// An adapter of which layers are missing, and one that belongs to a shorter base, fit the base all the same: what they lack is found here.
/// PEFT merges nothing there and says nothing.
/// </summary>
static class LayerCheck
{
    /// <summary>Checks that a module which has factors in one layer has them in every layer of the base that the config targets.</summary>
    /// <exception cref="RecallException">Names the first module without.</exception>
    public static void Run(LoraAdapter adapter, Checkpoint model, ModuleNames names)
    {
        var layers = model.Tensors.Select(tensor => Split(tensor.Name)?.Layer).OfType<int>().Distinct().Order().ToList();
        var trained = adapter.Modules.Select(module => module.Name).ToHashSet(StringComparer.Ordinal);
        var kinds = adapter.Modules.Where(module => !Experts.IsExpert(module)).Select(module => Split(module.Name))
            .Where(parts => parts is not null).Select(parts => (parts!.Value.Before, parts.Value.After)).Distinct();
        foreach (var (before, after) in kinds)
        {
            foreach (int layer in layers)
            {
                string module = $"{before}{layer}{after}";
                if (trained.Contains(module) || names.Find($"{module}.weight") is null || !IsTarget(module)) continue;
                throw new RecallException($"{adapter.Path}: module {Quoted.Of(module)} is targeted, but the adapter holds nothing for it: "
                    + $"the file is incomplete, or the adapter belongs to a base with fewer layers than {model.Path}; "
                    + "if those layers were left out on purpose, name the others in layers_to_transform");
            }
        }

        bool IsTarget(string module) => adapter.Config.Targets(module) || adapter.Config.TargetParametersOf(module) is ["weight"];
    }

    /// <summary>A name around its first number, that of the layer.</summary>
    static (string Before, int Layer, string After)? Split(string name)
    {
        int begin = 0;
        while (begin < name.Length)
        {
            int end = name.IndexOf('.', begin);
            if (end < 0) end = name.Length;
            if (int.TryParse(name.AsSpan(begin, end - begin), NumberStyles.None, null, out int layer))
                return (name[..begin], layer, name[end..]);
            begin = end + 1;
        }
        return null;
    }
}
