using System.Globalization;

namespace Recall.Planning;

/// <summary>Tensors that not all files of a raw merge have: what becomes of them, and what is said of it at the end.</summary>
sealed class PartialInputs(PartialTensors rule)
{
    const int MostNamed = 5;

    readonly List<string> _leftOut = [], _merged = [], _withoutBase = [];

    /// <summary>False: the tensor is left out.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="baseLacks">True where the method needs a base and it is the base that lacks the tensor.</param>
    /// <param name="refusal">Says who lacks it.</param>
    /// <exception cref="RecallException">It must not be missing.</exception>
    public bool Takes(string name, bool baseLacks, string refusal)
    {
        if (rule == PartialTensors.Refuse)
            throw new RecallException($"{refusal}; "
                + "--tensor-intersection merges only what all have, --tensor-union each tensor from those that have it");
        (rule == PartialTensors.LeaveOut ? _leftOut : baseLacks ? _withoutBase : _merged).Add(name);
        return rule == PartialTensors.Merge && !baseLacks;
    }

    /// <summary>A line for each thing that was done.</summary>
    public IEnumerable<string> Notes()
    {
        if (_leftOut.Count > 0) yield return $"left out, since not all files have it: {Named(_leftOut)}";
        if (_merged.Count > 0) yield return $"merged from the files that have it: {Named(_merged)}";
        if (_withoutBase.Count > 0) yield return $"left out, since the base model lacks it: {Named(_withoutBase)}";
    }

    static string Named(List<string> names)
    {
        string first = string.Join(", ", names.Take(MostNamed).Select(Quoted.Plain));
        return names.Count <= MostNamed
            ? first
            : string.Create(CultureInfo.InvariantCulture, $"{first} and {names.Count - MostNamed} more");
    }
}
