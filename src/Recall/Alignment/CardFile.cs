using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>Reads cards (<see cref="CardLayout"/>); nothing in one is trusted.</summary>
public static class CardFile
{
    /// <summary>The name of a card in its expert's folder.</summary>
    public const string Name = "card.safetensors";

    /// <summary>Opens a card: its header is checked, moments are read when they are asked for.</summary>
    /// <exception cref="RecallException">No card, cut short, or not consistent.</exception>
    public static Card Open(string path)
    {
        var file = DataFile.Open(path);
        var content = SafetensorsFile.Read(file);
        if (content.Metadata.GetValueOrDefault("format") != CardLayout.Format)
            throw new RecallException($"{path}: is no card of layer statistics (its metadata lacks format {CardLayout.Format}); 'recall "
                + $"card' makes one");
        var tensors = content.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        int? rank = content.Metadata.GetValueOrDefault("rank") == "full" ? null : Whole(path, content, "rank");
        var inputs = content.Tensors.Where(tensor => tensor.Name.EndsWith(CardLayout.Scalars, StringComparison.Ordinal))
            .Select(tensor => tensor.Name[..^CardLayout.Scalars.Length]).Select(name => (name, SizeOf(path, tensors, name, rank))).ToList();
        foreach (var (name, type, shape) in CardLayout.Tensors(inputs, rank))
        {
            var tensor = Find(path, tensors, name);
            if (tensor.DType != type || tensor.Shape != shape)
                throw new RecallException($"{path}: {name} is {tensor.DType} {tensor.Shape}; a card of rank "
                    + $"{rank?.ToString(CultureInfo.InvariantCulture) ?? "full"} has {type} {shape} there");
        }
        if (!double.TryParse(content.Metadata.GetValueOrDefault("answers"), NumberStyles.Float, CultureInfo.InvariantCulture,
            out double answers) || !(answers >= 0))
            throw new RecallException($"{path}: its metadata has no weight of answers");
        var (demand, weighed) = DemandOf(path, content);
        return new Card(path, input => Read(path, tensors, input, rank))
        {
            Experts = Whole(path, content, "experts"),
            Answers = answers,
            Demand = demand,
            IsWeighed = weighed,
            Rank = rank,
            Tokens = BinaryPrimitives.ReadInt64LittleEndian(Bytes(tensors[CardLayout.TokensTensor])),
            Model = Convert.ToHexStringLower(Bytes(tensors[CardLayout.ModelTensor])),
            Samples = Convert.ToHexStringLower(Bytes(tensors[CardLayout.SamplesTensor])),
            Inputs = inputs,
        };
    }

    static (double? Demand, bool Weighed) DemandOf(string path, SafetensorsFile content)
    {
        if (content.Metadata.GetValueOrDefault(CardLayout.Demand) is not { } text) return (null, false);
        if (text == CardLayout.Weighed) return (null, true);
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double demand) && demand is >= 0 and <= 1) return (demand, true);
        throw new RecallException($"{path}: its metadata '{CardLayout.Demand}' is {Quoted.Of(text)}; a number between 0 and 1 is expected");
    }

    static int Whole(string path, SafetensorsFile content, string key) =>
        int.TryParse(content.Metadata.GetValueOrDefault(key), NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value > 0
            ? value : throw new RecallException($"{path}: its metadata '{key}' must be a number above 0");

    static int SizeOf(string path, Dictionary<string, StoredTensor> tensors, string name, int? rank)
    {
        var tensor = Find(path, tensors, name + (rank is null ? CardLayout.Moment : CardLayout.Diagonal));
        if (tensor.Shape.Rank == (rank is null ? 2 : 1) && tensor.Shape[0] is > 0 and <= int.MaxValue) return (int)tensor.Shape[0];
        throw new RecallException($"{path}: {tensor.Name} has shape {tensor.Shape}, which is none of a second moment");
    }

    static StoredTensor Find(string path, Dictionary<string, StoredTensor> tensors, string name) => tensors.GetValueOrDefault(name)
        ?? throw new RecallException($"{path}: tensor {Quoted.Of(name)} is missing: the card is not whole; make it anew with 'recall "
            + $"card'");

    static SecondMoment Read(string path, Dictionary<string, StoredTensor> tensors, string input, int? rank)
    {
        using var scope = NewDisposeScope();
        var scalars = MemoryMarshal.Cast<byte, double>(Bytes(Find(path, tensors, input + CardLayout.Scalars)));
        double ridge = scalars[1];
        if (!double.IsFinite(scalars[0]) || !double.IsFinite(ridge) || scalars[0] < 0 || ridge < 0) throw Bad(path, input
            + CardLayout.Scalars);
        if (rank is null)
        {
            var matrix = Values(path, tensors, input + CardLayout.Moment);
            if (matrix.diagonal().min().item<double>() < 0) throw Bad(path, input + CardLayout.Moment);
            return new SecondMoment((int)matrix.shape[0]) { Matrix = matrix.MoveToOuterDisposeScope(), Ridge = ridge };
        }
        var values = Values(path, tensors, input + CardLayout.Values);
        if (values.min().item<double>() < 0) throw Bad(path, input + CardLayout.Values);
        var factor = Values(path, tensors, input + CardLayout.Vectors) * values.sqrt().unsqueeze(1);
        var diagonal = Values(path, tensors, input + CardLayout.Diagonal);
        if (diagonal.min().item<double>() < 0) throw Bad(path, input + CardLayout.Diagonal);
        return new SecondMoment((int)diagonal.shape[0])
        {
            Factor = factor.MoveToOuterDisposeScope(),
            Diagonal = diagonal.MoveToOuterDisposeScope(), Ridge = ridge
        };
    }

    static Tensor Values(string path, Dictionary<string, StoredTensor> tensors, string name)
    {
        var stored = Find(path, tensors, name);
        var floats = empty([.. stored.Shape.Dimensions], ScalarType.Float32);
        stored.ReadInto(floats, new TileReader());
        if (!floats.isfinite().all().item<bool>()) throw Bad(path, name);
        return floats.to_type(ScalarType.Float64);
    }

    static RecallException Bad(string path, string tensor) =>
        new($"{path}: {tensor} holds values that no second moment has (not finite, or below 0): the card is damaged; make it anew with "
            + $"'recall card'");

    static byte[] Bytes(StoredTensor tensor)
    {
        var bytes = new byte[tensor.Length];
        tensor.File.Read(tensor.Offset, bytes);
        return bytes;
    }
}
