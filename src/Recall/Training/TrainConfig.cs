using System.Collections.Immutable;
using Recall.Alignment;
using Recall.Checkpoints.Architectures;
using Recall.Configuration;
using Recall.Configuration.Yaml;
using Recall.Numerics;

namespace Recall.Training;

/// <summary>How the learning rate goes on after the warm-up.</summary>
public enum Schedule
{
    /// <summary>½ (1 + cos π x), x from 0 to 1.</summary>
    Cosine,
    /// <summary>1 − x.</summary>
    Linear,
    /// <summary>1.</summary>
    Constant,
}

/// <summary>A low-rank update (LoRA, arXiv 2106.09685): W + scale · B A.</summary>
public sealed record LoraOptions
{
    /// <summary>Rank; default 16.</summary>
    public int Rank { get; init; } = 16;

    /// <summary>The scale is alpha / r; default 32.</summary>
    public double Alpha { get; init; } = 32;

    /// <summary>The scale is alpha / √r (arXiv 2312.03732).</summary>
    public bool RsLora { get; init; }

    /// <summary>The linear layers that are updated, by the last part of their names; default: all that the model has, but for routers.</summary>
    public ImmutableArray<string> TargetModules { get; init; } = AllModules;

    /// <summary>Every linear layer of a block, in any family that has a forward pass; those of Llama first.</summary>
    public static ImmutableArray<string> AllModules { get; } =
    [
        .. ArchitectureTable.WithBlocks.Select(family => family.Block!).SelectMany(block => block.QueryKeyValue.Append(block.Output)
            .Concat(block.GateUp).Append(block.Down).Concat(block.Mixture is { } mixture ? [.. mixture.GateUp, mixture.Down] : []))
            .Select(name => name[(name.LastIndexOf('.') + 1)..]).Distinct(),
    ];

    /// <summary>What B A is multiplied by.</summary>
    public double Scale => Alpha / (RsLora ? Math.Sqrt(Rank) : Rank);
}

/// <summary>What <c>recall train</c> is asked for. Read by <see cref="Read"/>; computations are in float32.</summary>
public sealed record TrainConfig
{
    /// <summary>The file, as the user named it.</summary>
    public string File { get; init; } = "";

    /// <summary>The model that is tuned.</summary>
    public required ModelReference Model { get; init; }

    /// <summary>Data files with a row for each example, or one lm-eval task file, which names data, prompt and answer.</summary>
    public ImmutableArray<string> Data { get; init; } = [];

    /// <summary>Jinja over a row's fields: what is given. Null: the task file's, else the field <c>prompt</c>.</summary>
    public string? Prompt { get; init; }

    /// <summary>Jinja over a row's fields: what is to be learnt. Null: the task file's, else the field <c>answer</c>.</summary>
    public string? Answer { get; init; }

    /// <summary>The folder that is written; it must not hold anything.</summary>
    public required string Output { get; init; }

    /// <summary>The low-rank update that is trained; null: all weights are.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>How often each row is seen, unless <see cref="Steps"/> says how many steps there are; default 1.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Steps, over as many epochs as it takes; null: <see cref="Epochs"/> counts.</summary>
    public int? Steps { get; init; }

    /// <summary>Rows in one forward pass; default 8.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary>Batches in one step, whose losses are averaged; default 1.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>The highest learning rate; default 2e-4 with LoRA, 2e-5 without.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Steps (1 or more) or share of the steps (below 1) over which the learning rate rises from 0; default 0.03.</summary>
    public double Warmup { get; init; } = 0.03;

    /// <summary>Default cosine.</summary>
    public Schedule Schedule { get; init; }

    /// <summary>AdamW's decoupled decay; default 0.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether norms and biases decay too; default false, as in transformers' Trainer.</summary>
    public bool DecayNorms { get; init; }

    /// <summary>The longest gradient over all trained weights; null: as it comes; default 1.</summary>
    public double? Clip { get; init; } = 1;

    /// <summary>Of the rows' order and of LoRA's start; default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Tokens of a row that count, prompt and answer; default 1024.</summary>
    public int MaxTokens { get; init; } = 1024;

    /// <summary>
    /// Eigenvectors a second moment of the card that is written beside the result, by which <c>recall merge</c> aligns it without its data;
    /// null: whole matrices; 0: no card. Default 64.
    /// </summary>
    public int? Card { get; init; } = AlignmentOptions.DefaultCardRank;

    /// <summary>Type of the written weights; null: float32 for an adapter, that of the model's own tensors otherwise.</summary>
    public DType? DType { get; init; }

    /// <summary>Reads a training file.</summary>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static TrainConfig Read(string path) => Parse(YamlDocument.ReadText(path), path);

    /// <summary>Reads the text of a training file; <paramref name="file"/> stands in messages.</summary>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static TrainConfig Parse(string text, string file) => TrainConfigReader.Read(YamlDocument.ParseMapping(text, file), file);

    /// <summary>
    /// The learning rate of a step, counted from 0, of so many: it rises from 0, so that the first step of a warm-up changes nothing.
    /// </summary>
    public double LearningRateAt(int step, int steps)
    {
        int warmup = (int)(Warmup < 1 ? Math.Ceiling(Warmup * steps) : Warmup);
        if (step < warmup) return LearningRate * step / warmup;
        double x = (double)(step - warmup) / Math.Max(1, steps - warmup);
        return LearningRate * Schedule switch
        {
            Schedule.Cosine => 0.5 * (1 + Math.Cos(Math.PI * x)),
            Schedule.Linear => 1 - x,
            _ => 1,
        };
    }
}
