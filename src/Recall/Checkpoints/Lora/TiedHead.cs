using System.Text.Json;
using System.Text.Json.Nodes;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// A head that is tied to the embedding has no tensor of its own. An adapter that changes one of the two alone (or each in its own way)
/// gives the model a head of its own: that is what it did in training. PEFT's own merge changes both.
/// </summary>
sealed class TiedHead
{
    /// <summary>The head, where it has a tensor.</summary>
    public const string Name = "lm_head.weight";

    static readonly string[] Embeddings =
    [
        "model.embed_tokens.weight", "transformer.wte.weight", "wte.weight", "model.language_model.embed_tokens.weight",
        "language_model.model.embed_tokens.weight", "embed_tokens.weight",
    ];

    readonly bool _together;

    /// <param name="model">The base.</param>
    /// <param name="together">The adapter says that what happens to the embedding happens to the head (ensure_weight_tying).</param>
    public TiedHead(Checkpoint model, bool together)
    {
        Embedding = (model.Architecture is { } family ? model.Find(family.Embedding) : null)
            ?? Embeddings.Select(model.Find).FirstOrDefault(tensor => tensor is not null);
        bool untied = model.Config["tie_word_embeddings"] is JsonValue value && value.GetValueKind() == JsonValueKind.False;
        IsTied = Embedding is not null && !untied && model.Find(Name) is null;
        _together = IsTied && together;
    }

    /// <summary>The token embedding of the base, where it is known.</summary>
    public TensorSource? Embedding { get; }

    /// <summary>True where the head is the embedding.</summary>
    public bool IsTied { get; }

    /// <summary>True for what an adapter holds twice because head and embedding are one.</summary>
    public bool Covers(string name) => _together && name == Name;

    /// <summary>True for the two tensors whose rows are the vocabulary.</summary>
    public bool IsVocabulary(string name) => name == Name || (Embedding is not null && ModuleNames.Variants(name).Contains(Embedding.Name));

    /// <summary>The embedding under the name of the head, where the head is tied and asked for.</summary>
    public TensorSource? FindHead(string name, Dictionary<string, TensorSource> changed) =>
        IsTied && name == Name ? changed.GetValueOrDefault(Name) ?? new RenamedTensor(Name, Embedding!) : null;

    /// <summary>Gives the model a head of its own where the changes ask for it.</summary>
    public void Settle(LoraAdapter adapter, Dictionary<string, TensorSource> changed, JsonObject config)
    {
        if (!IsTied || _together) return;
        var embedding = changed.GetValueOrDefault(Embedding!.Name);
        var head = changed.GetValueOrDefault(Name);
        if (head is null)
        {
            bool rowsOnly = embedding is TokenRowsTensor;       // PEFT shares the new rows with the head
            if (embedding is null || rowsOnly) return;
            // What the embedding was before its update, and the head with it: a copy (base_layer) where it comes with factors,
            // else the base's own.
            var copy = adapter.Copies.FirstOrDefault(entry => ModuleNames.Variants(entry.Key).Contains(Embedding.Name)).Value;
            head = new RenamedTensor(Name, embedding is RenamedTensor || copy is null ? Embedding : copy, Embedding.DType);
            if (head.Shape != embedding.Shape)
                throw new RecallException($"{adapter.Path}: the embedding has shape {embedding.Shape}, but the head, which is tied to it "
                    + $"in the base, keeps {head.Shape}");
            changed[Name] = head;
        }
        else if (head is RenamedTensor && embedding is RenamedTensor && SameBytes(head.Stored.Single(), embedding.Stored.Single()))
        {
            changed.Remove(Name);
            return;
        }
        config["tie_word_embeddings"] = false;
    }

    static bool SameBytes(StoredTensor a, StoredTensor b)
    {
        if (a.Shape != b.Shape || a.Encoding != b.Encoding) return false;
        byte[] left = new byte[1 << 20], right = new byte[1 << 20];
        for (long at = 0; at < a.Length; at += left.Length)
        {
            int length = (int)Math.Min(left.Length, a.Length - at);
            a.File.Read(a.Offset + at, left.AsSpan(0, length));
            b.File.Read(b.Offset + at, right.AsSpan(0, length));
            if (!left.AsSpan(0, length).SequenceEqual(right.AsSpan(0, length))) return false;
        }
        return true;
    }
}
