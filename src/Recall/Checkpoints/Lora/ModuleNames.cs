using System.Text.Json;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// The names of an adapter are those of modules while they run; the names of a checkpoint are older. Where they differ, a tensor is found
/// under the name that transformers maps to the one that runs.
/// </summary>
sealed class ModuleNames(Checkpoint model)
{
    /// <summary>What runs, and what the file may call it.</summary>
    static readonly (string Running, string Stored)[] Renamed =
    [
        (".mlp.", ".block_sparse_moe."),                        // mixtral
        ("model.language_model.", "language_model.model."),     // models with pictures, before transformers 4.52
        ("model.language_model.", "model."),
        ("transformer.", ""),                                   // saved from the bare model, without its head
        ("model.", ""),
    ];

    /// <summary>The families whose linear layers are Conv1D, [in, out], and the names of those layers.</summary>
    static readonly string[] Conv1DFamilies = ["gpt2", "openai-gpt", "imagegpt", "decision_transformer"],
        Conv1DLayers = ["c_attn", "c_proj", "c_fc", "q_attn"];

    readonly string? _family =
        model.Config["model_type"] is { } family && family.GetValueKind() == JsonValueKind.String ? (string?)family : null;

    /// <summary>The tensor of that name, or of the name that stands for it in files; null where the model has neither.</summary>
    public TensorSource? Find(string name) => Variants(name).Select(model.Find).FirstOrDefault(tensor => tensor is not null);

    /// <summary>The name itself and the names under which files may hold it.</summary>
    public static IEnumerable<string> Variants(string name)
    {
        yield return name;
        foreach (var (running, stored) in Renamed)
        {
            int at = name.IndexOf(running, StringComparison.Ordinal);
            if (at == 0 || (at > 0 && running[0] == '.'))
                yield return string.Concat(name.AsSpan(0, at), stored, name.AsSpan(at + running.Length));
        }
    }

    /// <summary>True where the module's weight is stored [in, out]; null where the family is not known.</summary>
    public bool? IsConv1D(string module) =>
        _family is null ? null : Conv1DFamilies.Contains(_family) && Conv1DLayers.Contains(module[(module.LastIndexOf('.') + 1)..]);
}
