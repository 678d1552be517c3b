namespace Recall.Planning;

/// <summary>How a merge is run; what is merged stands in the config.</summary>
public sealed record MergeOptions
{
    /// <summary>mergekit's limit for a shard, 5·10⁹ bytes.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    /// <summary>The folder to write.</summary>
    public required string Output { get; init; }

    /// <summary>Bytes of tensors in a shard at most; 0: one file. Default 5·10⁹.</summary>
    public long ShardBytes { get; init; } = DefaultShardBytes;

    /// <summary>Threads that work, libtorch's among them; default: one a processor. The result does not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Seed of random methods; default 0.</summary>
    public long Seed { get; init; }

    /// <summary>The user named the seed: a plan that draws nothing says that it has no effect.</summary>
    internal bool SeedIsGiven { get; init; }

    /// <summary>Copies the donor's tokenizer files; default true.</summary>
    public bool CopyTokenizer { get; init; } = true;

    /// <summary>Writes README.md and the config; default true.</summary>
    public bool WriteModelCard { get; init; } = true;

    /// <summary>Permits models of different architectures; the base's (or first one's) leads. Default false.</summary>
    public bool AllowCrimes { get; init; }

    /// <summary>A weights.json to merge with in place of computing layer weights; null: none.</summary>
    public string? WeightsFile { get; init; }

    /// <summary>
    /// Merges files of weights by the names of their tensors alone (mergekit-pytorch): no families, no layers, no config.json, no tokenizer;
    /// says what becomes of a tensor that not all files have. Null, the default: models are merged. The config is read by
    /// <see cref="Configuration.MergeConfig.ReadRaw"/>.
    /// </summary>
    public PartialTensors? Raw { get; init; }

    /// <summary>Tensors are read ahead, and journalled, in groups of about so many bytes of input; default 256 MiB. The result does not depend on it.</summary>
    public long GroupBytes { get; init; } = 256L << 20;

    /// <summary>Tells the time that recall.json notes.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>At least so long between two entries of the journal from which a killed merge goes on; default 30 seconds.</summary>
    public TimeSpan JournalInterval { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>What becomes of a tensor that not all files of a raw merge have.</summary>
public enum PartialTensors
{
    /// <summary>It is an error.</summary>
    Refuse,
    /// <summary>It is left out.</summary>
    LeaveOut,
    /// <summary>It is merged from the files that have it.</summary>
    Merge,
}
