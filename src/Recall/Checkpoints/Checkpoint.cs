using System.Text.Json;
using System.Text.Json.Nodes;
using Recall.Checkpoints.Architectures;
using Recall.Checkpoints.Gguf;
using Recall.Checkpoints.Pickle;
using Recall.Checkpoints.Safetensors;

namespace Recall.Checkpoints;

/// <summary>
/// A model on disk, opened: its config and the headers of its weights, checked; no weight is read. A folder as transformers writes it, a bare
/// <c>.safetensors</c> or PyTorch (<c>.bin</c>, <c>.pt</c>, <c>.pth</c>, <c>.ckpt</c>) file, or a <c>.gguf</c> file (also as the only one of a folder), whose config and tokenizer are made from its header.
/// </summary>
/// <param name="Path">The folder or file, as the user named it.</param>
/// <param name="Config">The content of config.json; empty for a bare file of weights.</param>
/// <param name="Tensors">The tensors, in the order of the files.</param>
/// <param name="Files">The files beside the weights that belong to the model: tokenizer, chat template, generation config.</param>
public sealed record Checkpoint(string Path, JsonObject Config, IReadOnlyList<TensorSource> Tensors, IReadOnlyList<CheckpointFile> Files)
{
    static readonly string[] CompanionNames =
    [
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
        "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "chat_template.jinja", "generation_config.json",
        "chat_template.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json", "normalizer.json",
    ];

    readonly Dictionary<string, TensorSource> _byName = Index(Path, Tensors);

    /// <summary>The family, where <see cref="ArchitectureTable"/> knows it, with the names that this checkpoint has.</summary>
    public Architecture? Architecture { get; } = ArchitectureTable.Find(Config)?.In(Tensors.Select(tensor => tensor.Name));

    /// <summary>The tensor of that name, or null.</summary>
    public TensorSource? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The same model with other tensors, or another config: an adapter applied, say.</summary>
    public Checkpoint With(IReadOnlyList<TensorSource> tensors, JsonObject? config = null) => new(Path, config ?? Config, tensors, Files);

    /// <summary>Opens a model.</summary>
    /// <exception cref="RecallException">Not there (with the near names that are), no model, or broken.</exception>
    public static Checkpoint Open(string path)
    {
        if (File.Exists(path)) return OpenFile(path);
        if (!Directory.Exists(path)) throw NotThere(path, "model");
        if (!HoldsSafetensors(path) && GgufCheckpoint.FindIn(path) is { } gguf) return GgufCheckpoint.Open(path, gguf);
        var config = ReadConfig(System.IO.Path.Combine(path, "config.json"));
        var files = CompanionNames.Select(name => CheckpointFile.OnDisk(name, System.IO.Path.Combine(path, name))).Where(file => file is not null).ToList();
        return new Checkpoint(path, config, OpenWeights(path), files!);
    }

    static Checkpoint OpenFile(string path) => System.IO.Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".safetensors" => new Checkpoint(path, [], SafetensorsFile.Read(DataFile.Open(path)).Tensors, []),
        ".bin" or ".pt" or ".pth" or ".ckpt" => new Checkpoint(path, [], PickleFile.Read(DataFile.Open(path)), []),
        ".gguf" => GgufCheckpoint.Open(path, path),
        var other => throw new RecallException($"{path}: Recall reads folders of transformers, .safetensors, .bin, .pt, .pth, .ckpt and .gguf files, not {Quoted.Of(other)}"),
    };

    static bool HoldsSafetensors(string folder)
        => File.Exists(System.IO.Path.Combine(folder, "model.safetensors")) || File.Exists(System.IO.Path.Combine(folder, "model.safetensors.index.json"));

    static IReadOnlyList<TensorSource> OpenWeights(string folder)
    {
        string index = System.IO.Path.Combine(folder, "model.safetensors.index.json"), single = System.IO.Path.Combine(folder, "model.safetensors");
        if (File.Exists(single)) return SafetensorsFile.Read(DataFile.Open(single)).Tensors;
        if (File.Exists(index)) return SafetensorsIndex.Read(index);
        string pickleIndex = System.IO.Path.Combine(folder, "pytorch_model.bin.index.json"), pickle = System.IO.Path.Combine(folder, "pytorch_model.bin");
        if (File.Exists(pickle)) return PickleFile.Read(DataFile.Open(pickle));
        if (File.Exists(pickleIndex)) return ShardIndex.Read(pickleIndex, PickleFile.Read);
        bool adapter = File.Exists(System.IO.Path.Combine(folder, "adapter_config.json"));
        throw new RecallException(adapter
            ? $"{folder}: is an adapter, not a whole model; name it together with its base: BASE+{folder}"
            : $"{folder}: holds no weights: model.safetensors, pytorch_model.bin, an index of one of them, or a .gguf file is expected there");
    }

    /// <summary>Reads a config.json: a JSON object of at most 16 MiB.</summary>
    /// <exception cref="RecallException">Missing, too large, or not a JSON object.</exception>
    public static JsonObject ReadConfig(string path)
    {
        using var file = DataFile.Open(path);
        if (file.Length > 16 * 1024 * 1024) throw new RecallException($"{path}: has {file.Length} bytes; a config has at most 16 MiB");
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        try
        {
            return JsonNode.Parse(bytes, documentOptions: new JsonDocumentOptions { MaxDepth = 64 }) as JsonObject
                ?? throw new RecallException($"{path}: must hold a JSON object");
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new RecallException($"{path}: is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>The error for a path at which there is nothing, with the nearest name that is there.</summary>
    internal static RecallException NotThere(string path, string kind)
    {
        string full = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        string parent = System.IO.Path.GetDirectoryName(full) ?? "/";
        string? near = null;
        if (Directory.Exists(parent))
        {
            var names = Directory.EnumerateFileSystemEntries(parent).Take(10_000).Select(entry => System.IO.Path.GetFileName(entry)).ToList();
            near = Quoted.Nearest(System.IO.Path.GetFileName(full), names);
        }
        string hint = near is not null ? $"; did you mean '{System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path) ?? "", near)}'?"
            : Directory.Exists(parent) ? $"; there is nothing of a like name in {parent}" : $"; there is no folder {parent} either";
        return new RecallException($"{path}: no such {kind}{hint}");
    }

    static Dictionary<string, TensorSource> Index(string path, IReadOnlyList<TensorSource> tensors)
    {
        var names = new Dictionary<string, TensorSource>(tensors.Count, StringComparer.Ordinal);
        foreach (var tensor in tensors)
            if (!names.TryAdd(tensor.Name, tensor)) throw new RecallException($"{path}: tensor {Quoted.Of(tensor.Name)} is there twice");
        return names;
    }
}

/// <summary>A small file that belongs to a model: on disk, or made from a GGUF header.</summary>
/// <param name="Name">Its name in the model's folder.</param>
/// <param name="Source">Where it lies; null for a file that exists in memory only.</param>
/// <param name="Content">Its bytes, for a file that exists in memory only.</param>
public sealed record CheckpointFile(string Name, string? Source, ReadOnlyMemory<byte> Content)
{
    const long Largest = 1L << 30;

    /// <summary>The file at a path, or null where there is none.</summary>
    public static CheckpointFile? OnDisk(string name, string path) => File.Exists(path) ? new CheckpointFile(name, path, default) : null;

    /// <summary>Why this file, which the model should have, cannot be made; null as a rule.</summary>
    public string? Refusal { get; init; }

    /// <summary>The bytes of the file.</summary>
    /// <exception cref="RecallException">It cannot be read, or cannot be made (<see cref="Refusal"/>).</exception>
    public ReadOnlyMemory<byte> Read()
    {
        if (Refusal is not null) throw new RecallException(Refusal);
        if (Source is null) return Content;
        using var file = DataFile.Open(Source);
        if (file.Length > Largest) throw new RecallException($"{Source}: has {file.Length} bytes, too many for a file beside the weights");
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        return bytes;
    }
}
