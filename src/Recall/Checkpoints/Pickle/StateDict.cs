namespace Recall.Checkpoints.Pickle;

/// <summary>Finds the weights in what a pickle holds: the tensors at its root, or below one of the names that training scripts use.</summary>
static class StateDict
{
    static readonly string[] Roots = ["state_dict", "model_state_dict", "model", "module"];

    /// <summary>The tensors by name, in the order of the file.</summary>
    /// <exception cref="RecallException">There is no state dict, or it is not clear which.</exception>
    public static IReadOnlyList<(string Name, PickleTensor Tensor)> Find(object root, string path)
    {
        if (root is not PickleDict dict)
            throw new RecallException($"{path}: holds no state dict: a dict of tensors is expected at its root");
        if (HoldsTensors(dict) || dict.Entries.Count == 0) return Tensors(dict, path, "");
        var below = Roots.Where(name => dict.Entries.GetValueOrDefault(name) is PickleDict inner && HoldsTensors(inner)).ToList();
        return below.Count switch
        {
            1 => Tensors((PickleDict)dict.Entries[below[0]], path, $" below {Quoted.Of(below[0])}"),
            0 => throw new RecallException($"{path}: holds no state dict: no tensors at its root, nor below {string.Join(", ", Roots)}"),
            _ => throw new RecallException($"{path}: holds tensors below {string.Join(" and below ", below.Select(Quoted.Of))}: which are the weights is not clear"),
        };
    }

    static bool HoldsTensors(PickleDict dict) => dict.UnnamedTensor || dict.Entries.Values.Any(value => value is PickleTensor);

    static List<(string, PickleTensor)> Tensors(PickleDict dict, string path, string where)
    {
        if (dict.UnnamedTensor) throw new RecallException($"{path}: has a tensor{where} whose name is not a text");
        var tensors = new List<(string, PickleTensor)>();
        foreach (var (name, value) in dict.Entries)
        {
            switch (value)
            {
                case PickleTensor { Unsupported: { } kind }:
                    throw new RecallException($"{path}: tensor {Quoted.Of(name)} is {kind}, which Recall does not read");
                case PickleTensor tensor: tensors.Add((name, tensor)); break;
                case PickleDict inner when inner == dict || HoldsTensors(inner) || inner.Entries.Values.Any(item => item is PickleDict):
                    throw new RecallException($"{path}: holds a dict of its own under {Quoted.Of(name)} beside tensors{where}; which are the weights is not clear");
            }
        }
        return tensors;
    }
}
