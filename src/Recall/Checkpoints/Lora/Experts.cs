using Recall.Numerics;

namespace Recall.Checkpoints.Lora;

/// <summary>
/// LoRA over stacked experts (PEFT's target_parameters): transformers 5 stacks the matrices of a layer's experts while it runs, and files
/// hold them one by one. Expert e gets Σ_k B[·, k·E + e] · A[e·rank + k, ·]; gate and up share one matrix, gate first.
/// </summary>
static class Experts
{
    /// <summary>The stacked parameters that Recall knows, in the order in which their module declares them.</summary>
    public static IReadOnlyList<string> Declared { get; } = ["gate_up_proj", "down_proj"];

    /// <summary>What files call the parts of each, one family a row: qwen3_moe and most others, mixtral.</summary>
    static readonly string[][] GateUp = [["gate_proj", "up_proj"], ["w1", "w3"]], Down = [["down_proj"], ["w2"]];

    /// <summary>True for factors of stacked experts.</summary>
    public static bool IsExpert(LoraModule module) => module.Parameter != "weight";

    /// <summary>The changed matrices of all experts of the module.</summary>
    /// <param name="module">The factors.</param>
    /// <param name="names">The base's tensors.</param>
    /// <param name="current">What a tensor of the base is so far.</param>
    /// <param name="config">The adapter's config; in messages.</param>
    public static IEnumerable<TensorSource> Update(
        LoraModule module, ModuleNames names, Func<TensorSource, TensorSource> current, string config)
    {
        var candidates = module.Parameter == "down_proj" ? Down : GateUp;
        string[] parts = candidates.FirstOrDefault(parts => names.Find($"{module.Name}.0.{parts[0]}.weight") is not null)
            ?? throw Bad(module, $"is for the experts {Quoted.Of(module.Name)}, and the base has none of that name that lie one by one "
                + $"({string.Join(" or ", candidates.Select(parts => $"0.{parts[0]}.weight"))})");
        if (module.Magnitude is not null || module.Bias is not null)
            throw Bad(module, "is for experts, which have neither DoRA nor a bias in PEFT");
        int count = 1;
        while (names.Find($"{module.Name}.{count}.{parts[0]}.weight") is not null) count++;
        if (module.A.Shape[0] != (long)module.Rank * count)
            throw Bad(module, $"has {module.A.Shape[0]} rows for {count} experts of rank {module.Rank}, as {config} says; "
                + $"{(long)module.Rank * count} are expected");
        int inputs = checked((int)module.A.Shape[1]);
        for (int expert = 0; expert < count; expert++)
        {
            int firstRow = 0;
            foreach (string part in parts)
            {
                string name = $"{module.Name}.{expert}.{part}.weight";
                var source = current(names.Find(name) ?? throw Bad(module, $"is for {Quoted.Of(name)}, which the base does not have"));
                bool fits = source.Shape.Rank == 2 && source.Shape[1] == inputs && firstRow + source.Shape[0] <= module.B.Shape[0];
                if (!fits || !source.DType.IsFloat())
                    throw Bad(module, $"{module.A.Shape} and B {module.B.Shape} do not fit {Quoted.Of(source.Name)} of shape "
                        + $"{source.Shape} and type {source.DType}");
                yield return new LowRankTensor(source, new LowRankUpdate(module.B, module.A, false, module.Rank, module.Scale)
                {
                    LeftOffset = firstRow * module.Rank * count + expert,
                    LeftRankStride = count,
                    RightOffset = expert * module.Rank * inputs,
                });
                firstRow += (int)source.Shape[0];
            }
            if (firstRow != module.B.Shape[0])
                throw Bad(module, $"goes with a B of {module.B.Shape[0]} rows, but an expert of the base has {firstRow}");
        }
    }

    static RecallException Bad(LoraModule module, string what) => new($"{module.A.File.Path}: tensor {Quoted.Of(module.A.Name)} {what}");
}
