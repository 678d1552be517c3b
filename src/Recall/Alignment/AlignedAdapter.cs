using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Numerics;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>How much of a layer's update an adapter of limited rank has lost.</summary>
/// <param name="Module">The layer.</param>
/// <param name="Rank">Its rank in the adapter.</param>
/// <param name="Lost">1 − ‖kept‖²/‖update‖², 0 … 1.</param>
public sealed record AdapterLoss(string Module, int Rank, double Lost);

/// <summary>
/// The merge of adapters as one adapter. align, exactly and without a decomposition: ΔW = Σ_i B_i (A_i G_i A⁻¹), of rank Σ r_i. To fewer
/// ranks, by QR of both factors and an SVD of the small product of their triangles. distil: the largest singular triples of the update.
/// </summary>
public static class AlignedAdapter
{
    /// <summary>Merges and writes the adapter's folder.</summary>
    /// <param name="folder">Where it is to lie.</param>
    /// <param name="baseName">The base as its owner names it, or its path.</param>
    /// <param name="baseModel">The base.</param>
    /// <param name="experts">Adapters applied to it.</param>
    /// <param name="options">align or distil.</param>
    /// <param name="rank">The rank; null: all that there is (align only).</param>
    /// <param name="layerDone">Told the number of each block that is done.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <returns>The loss of each layer.</returns>
    /// <exception cref="RecallException">Experts that change more than linear layers, or, for align, are no adapters on this
    /// base.</exception>
    public static IReadOnlyList<AdapterLoss> Write(
        string folder, string baseName, Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options, int? rank,
        Action<int>? layerDone = null, CancellationToken cancellation = default)
    {
        using var alignment = Begin(baseModel, experts, options, rank);
        return Write(folder, alignment, rank, new LoraWriteOptions { BaseModel = baseName }, null, layerDone, cancellation);
    }

    /// <summary>Checks that there will be an adapter; reads no weights of linear layers yet.</summary>
    internal static LayerAlignment Begin(
        Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options, int? rank)
    {
        if (options.IsRegMean) throw new RecallException("an adapter is made by align or distil; RegMean gives whole weights");
        if (options.Kind == AlignmentKind.Distil
            && rank is null) throw new RecallException("distil as an adapter needs a rank: its update has the rank of the whole matrix");
        var alignment = new LayerAlignment(baseModel, experts, options);
        try
        {
            RequireLinearOnly(alignment, baseModel, experts);
            if (LayerStep.OfAll(alignment.Options).SelectMany(step => step.Linears).FirstOrDefault(linear => linear.StoredShape.Rank > 2) is { Name: not null } stack)
                throw new RecallException($"{baseModel.Path}: {stack.Name} holds experts stacked in one tensor, to which an adapter of linear layers "
                    + "does not apply; write a whole checkpoint");
            return alignment;
        }
        catch
        {
            alignment.Dispose();
            throw;
        }
    }

    /// <summary>Merges, and writes the factors; <paramref name="systems"/> takes what each input's layers were solved with.</summary>
    internal static IReadOnlyList<AdapterLoss> Write(
        string folder, LayerAlignment alignment, int? rank, LoraWriteOptions written, Action<string, StepSystem>? systems,
        Action<int>? layerDone, CancellationToken cancellation)
    {
        var (factors, losses) = (new List<LoraFactors>(), new List<AdapterLoss>());
        void Take(string name, Tensor left, Tensor right, double lost)
        {
            string module = name[..^".weight".Length];
            int kept = (int)left.shape[1];
            losses.Add(new AdapterLoss(module, kept, lost));
            factors.Add(new LoraFactors(module, (int)left.shape[0], (int)right.shape[1], kept, Values(right), Values(left), kept));
        }
        void TakeCut(string name, LowRankCut cut) => Take(name, cut.Left, cut.Right, cut.Lost);
        if (alignment.Kind == AlignmentKind.Align)
        {
            alignment.RunFactors((name, left, right) =>
            {
                using var scope = NewDisposeScope();
                if (rank is not { } kept || kept >= left.shape[1]) Take(name, left, right, 0);
                else TakeCut(name, LowRankCut.OfFactors(left, right, kept));
            }, systems, layerDone, cancellation);
        }
        else
        {
            var reader = new TileReader();
            var whole = new Dictionary<string, Tensor>(StringComparer.Ordinal);
            alignment.Run((name, first, rows) =>
            {
                using var scope = NewDisposeScope();
                var source = alignment.Base.Find(name)!;
                if (!whole.TryGetValue(name, out var update)) whole.Add(name,
                    update = zeros([source.Shape[0], source.Shape[1]], ScalarType.Float64).DetachFromDisposeScope());
                var before = ExpertUpdate.Rows(source, first, rows.shape[0], reader).to_type(ScalarType.Float64);
                update.narrow(0, first, rows.shape[0]).copy_(rows.to_type(ScalarType.Float64).Minus(before));
                if (first + rows.shape[0] < source.Shape[0]) return;
                bool transposed = alignment.Options.Traits.StoredTransposed && name != alignment.Options.Names.Head;
                TakeCut(name, LowRankCut.OfMatrix(transposed ? update.t().contiguous() : update, rank!.Value));
                whole.Remove(name);
                update.Dispose();
            }, systems, layerDone, cancellation);
        }
        LoraAdapterWriter.Write(folder, factors, written with { FanInFanOut = alignment.Options.Traits.StoredTransposed });
        return losses;
    }

    static ReadOnlyMemory<float> Values(Tensor tensor)
    {
        using var floats = tensor.to_type(ScalarType.Float32).contiguous();
        return MemoryMarshal.Cast<byte, float>(floats.bytes).ToArray();
    }

    static void RequireLinearOnly(LayerAlignment alignment, Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts)
    {
        var linear = alignment.LinearWeights.ToHashSet(StringComparer.Ordinal);
        foreach (var tensor in baseModel.Tensors.Where(tensor => tensor.DType.IsFloat() && !linear.Contains(tensor.Name)))
        {
            foreach (var expert in experts)
            {
                if (expert.Checkpoint.Find(tensor.Name) is not { } own || ExpertUpdate.SameStored(own, tensor)) continue;
                throw new RecallException($"{expert.Name}: changes {tensor.Name} too, which an adapter of linear layers cannot hold; "
                    + $"write a whole checkpoint");
            }
        }
    }
}
