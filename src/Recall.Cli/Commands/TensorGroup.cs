using Recall.Cli.Terminal;
using Recall.Planning;

namespace Recall.Cli.Commands;

/// <summary>Output tensors that are alike but for their layer: one line of the plan.</summary>
/// <param name="Name">Their name, with <c>*</c> for the layer.</param>
/// <param name="Count">How many.</param>
/// <param name="Shape">The shape of each.</param>
/// <param name="DType">Their type.</param>
/// <param name="Bytes">All together.</param>
/// <param name="Made">Of what they are made, and with which parameters, from the first layer to the last where these change.</param>
sealed record TensorGroup(string Name, int Count, string Shape, string DType, long Bytes, string Made)
{
    public static IEnumerable<TensorGroup> Of(MergePlan plan)
    {
        var architecture = plan.Donor.Architecture;
        return plan.Tensors.OrderBy(tensor => architecture.LayerOf(tensor.Name)?.Layer ?? -1)
            .GroupBy(tensor => (architecture.General(tensor.Name), tensor.Shape, tensor.DType, tensor.Sources.Length, Copied: tensor.Copied is not null))
            .Select(group => new TensorGroup(
                group.Key.Item1, group.Count(), group.Key.Shape.ToString(), group.Key.DType.ToString(), group.Sum(tensor => tensor.Length),
                Make([.. group], plan)));
    }

    static string Make(List<OutputTensor> tensors, MergePlan plan)
    {
        var first = tensors[0];
        string from = first.Sources.Length == 1 ? "1 model" : $"{first.Sources.Length} models";
        if (first.Copied is not null) return $"{from}, copied";
        var names = first.Inputs.PerModel.Keys.Concat(first.Inputs.Values.Keys).Order(StringComparer.Ordinal);
        var values = names.Select(name => (Name: name, Values: tensors.Select(tensor => Value(tensor, name)).ToList()))
            .Where(entry => entry.Values.Exists(value => value.Length > 0) && !(plan.Weighting is not null && entry.Name == "weight"))
            .Select(entry => entry.Values.Distinct().Count() == 1
                ? $"{entry.Name} {entry.Values[0]}"
                : $"{entry.Name} {entry.Values[0]} … {entry.Values[^1]}");
        return string.Join(", ", values.Prepend(from).Concat(plan.Weighting is null ? [] : ["layer weights"]));
    }

    /// <summary>One value, or one for each model; empty where none is given.</summary>
    static string Value(OutputTensor tensor, string name)
    {
        if (tensor.Inputs.Values.TryGetValue(name, out double value)) return double.IsNaN(value) ? "" : Shown.Number(value);
        var each = tensor.Inputs.PerModel[name];
        if (each.Distinct().Count() == 1) return double.IsNaN(each[0]) ? "" : Shown.Number(each[0]);
        return string.Join("/", each.Select(number => double.IsNaN(number) ? "–" : Shown.Number(number)));
    }
}
