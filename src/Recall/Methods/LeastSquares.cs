using System.Collections.Immutable;

namespace Recall.Methods;

/// <summary>
/// The family of merges by what the layers do. Their linear layers are solved for, layer by layer, elsewhere (Alignment); as a method of
/// tensors this is what all other tensors take: base + mean of the differences, y = b + Σ n_m (x_m − b) / Σ n_m, n_m the number of experts
/// that model m stands for.
/// </summary>
/// <param name="name">align, distil, regmean or regmean++.</param>
public sealed class LeastSquares(string name) : MergeMethod
{
    /// <summary>The name of the experts' numbers among a tensor's inputs.</summary>
    public const string Experts = "experts";

    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override (string Title, string? Source) Reference => name switch
    {
        "align" => ("RECALL, layers aligned by least squares on their inputs", null),
        "distil" => ("RECALL, layers distilled in closed form", null),
        "regmean" => ("RegMean", "https://arxiv.org/abs/2212.09849"),
        _ => ("RegMean++", "https://arxiv.org/abs/2508.03121"),
    };

    /// <inheritdoc/>
    public override ImmutableArray<MethodParameter> Parameters => [];

    /// <inheritdoc/>
    public override BaseUse Base => BaseUse.Required;

    /// <inheritdoc/>
    public override TensorMerge Prepare(TensorInputs inputs)
    {
        var counts = inputs.PerModel.GetValueOrDefault(Experts, [.. Enumerable.Repeat(1.0, inputs.Count)]);
        double total = inputs.Others.Sum(i => counts[i]);
        return new Merge(inputs.BaseIndex, [.. inputs.Others.Select(i => (i, counts[i] / total))]);
    }

    // In double precision, element by element, as the forward passes read the same tensors: the merged model is that which they have seen.
    sealed class Merge(int baseIndex, ImmutableArray<(int Input, double Share)> experts) : TensorMerge
    {
        public override void Apply(in Strip strip, Span<float> output)
        {
            var from = strip[baseIndex];
            Span<double> sums = stackalloc double[Block];
            for (int first = 0; first < output.Length; first += Block)
            {
                int count = Math.Min(Block, output.Length - first);
                sums.Clear();
                foreach (var (input, share) in experts)
                {
                    var values = strip[input].Slice(first, count);
                    for (int i = 0; i < count; i++) sums[i] += share * ((double)values[i] - from[first + i]);
                }
                for (int i = 0; i < count; i++) output[first + i] = (float)(from[first + i] + sums[i]);
            }
        }

        const int Block = 1024;
    }
}
