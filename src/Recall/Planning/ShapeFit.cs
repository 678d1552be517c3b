using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Methods;

namespace Recall.Planning;

/// <summary>What is done where the same tensor has other shapes in other models: cut, left out, or refused with the sizes that differ.</summary>
sealed class ShapeFit(MergeConfig config, MergeMethod method, ImmutableArray<OpenedModel> models, List<string> notes)
{
    /// <summary>Brings the inputs to one shape, by the method's rule; what is cut off or left out is noted.</summary>
    /// <exception cref="RecallException">The method takes no shapes that differ in this way.</exception>
    public (TensorInputs, ImmutableArray<TensorSource>) Fit(TensorInputs inputs, ImmutableArray<TensorSource> tensors)
    {
        if (tensors.All(tensor => tensor.Shape == tensors[0].Shape)) return (inputs, tensors);
        bool matrices = inputs.IsEmbedding && tensors.All(tensor => tensor.Shape.Rank == 2);
        if (method.Shapes == ShapeRule.CropEmbeddings && matrices)
        {
            long rows = tensors.Min(tensor => tensor.Shape[0]), columns = tensors.Min(tensor => tensor.Shape[1]);
            notes.Add($"{inputs.Name}: the models have {string.Join(", ", tensors.Select(tensor => tensor.Shape))}: cut to [{rows}, {columns}], which "
                + $"all have{WithoutLoss}");
            return (inputs with { Shape = new Shape(rows, columns) }, [.. tensors.Select(tensor => Crop(tensor, rows, columns))]);
        }
        if (method.Shapes == ShapeRule.CropToBaseOrSkip && inputs.BaseIndex >= 0) return FitToBase(inputs, tensors, matrices);
        int other = 1 + tensors.Skip(1).TakeWhile(tensor => tensor.Shape == tensors[0].Shape).Count();
        throw new RecallException(
            $"{config.File}: {inputs.Name}: the shapes differ: {tensors[0].Shape} in {inputs.ModelNames[0]}, {tensors[other].Shape} in "
                + $"{inputs.ModelNames[other]}"
            + (!inputs.IsEmbedding ? Sizes(inputs.ModelNames[0], inputs.ModelNames[other])
                : method is LeastSquares
                ? $"; {method.Name} lets all models read the same token ids: give them one vocabulary first, by recall tokensurgeon MODEL DONOR OUT"
                : "; models with different vocabularies merge with a 'tokenizer' key"));
    }

    /// <summary>How to keep what is cut off.</summary>
    string WithoutLoss => config.Tokenizer is null && models.Any(model => model.Checkpoint.Files.Any(file => file.Name == "tokenizer.json"))
        ? " (tokenizer_source: union keeps every token)" : "";

    static readonly string[] SizeKeys = ["hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim"];

    /// <summary>What the configs of two models say of their sizes, and what to do.</summary>
    string Sizes(string first, string second)
    {
        JsonObject Config(string name) => models.First(model => model.Name == name).Checkpoint.Config;
        var (a, b) = (Config(first), Config(second));
        var differ = SizeKeys.Where(key => a[key] is not null && b[key] is not null && !JsonNode.DeepEquals(a[key], b[key]))
            .Select(key => $"{key} is {a[key]!.ToJsonString()} and {b[key]!.ToJsonString()}").ToList();
        return $"{(differ.Count == 0 ? "" : $" ({string.Join(", ", differ)})")}; only models of the same sizes can be merged";
    }

    (TensorInputs, ImmutableArray<TensorSource>) FitToBase(TensorInputs inputs, ImmutableArray<TensorSource> tensors, bool matrices)
    {
        var shape = tensors[inputs.BaseIndex].Shape;
        var keep = new List<int>();
        var fitted = tensors.ToBuilder();
        for (int i = 0; i < tensors.Length; i++)
        {
            if (tensors[i].Shape == shape)
            {
                keep.Add(i);
            }
            else if (matrices)
            {
                if (tensors[i].Shape[0] < shape[0] || tensors[i].Shape[1] < shape[1])
                    throw new RecallException($"{config.File}: {inputs.Name}: {inputs.ModelNames[i]} has {tensors[i].Shape}, less than the base's {shape}");
                notes.Add($"{inputs.Name}: {inputs.ModelNames[i]} has {tensors[i].Shape}: cut to the base's {shape}{WithoutLoss}");
                fitted[i] = Crop(tensors[i], shape[0], shape[1]);
                keep.Add(i);
            }
            else
            {
                notes.Add($"{inputs.Name}: {inputs.ModelNames[i]} has {tensors[i].Shape}, the base {shape}: this model is left out of it");
            }
        }
        return (inputs.Only(keep) with { Shape = shape }, [.. keep.Select(i => fitted[i])]);
    }

    static TensorSource Crop(TensorSource tensor, long rows, long columns) =>
        tensor.Shape[0] == rows && tensor.Shape[1] == columns ? tensor : new CroppedTensor(tensor, rows, columns);
}
