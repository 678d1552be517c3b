namespace Recall.Checkpoints;

/// <summary>
/// The stored bytes of one layer of all models, read once: forward passes and the merge both take them from here.
/// The memory is kept from layer to layer, so it is that of the largest layer.
/// </summary>
public sealed class LayerBuffer
{
    readonly Dictionary<StoredTensor, (int Segment, int Start, int Length)> _places = new(ReferenceEqualityComparer.Instance);
    readonly List<byte[]> _segments = [];

    /// <summary>Reads these tensors in place of those held before; each stored tensor once, however many models share it.</summary>
    public void Load(IEnumerable<StoredTensor> tensors, CancellationToken cancellation)
    {
        _places.Clear();
        foreach (var tensor in tensors)
        {
            if (_places.ContainsKey(tensor)) continue;
            cancellation.ThrowIfCancellationRequested();
            int segment = _places.Count, length = checked((int)tensor.Length);
            if (segment == _segments.Count) _segments.Add([]);
            if (_segments[segment].Length < length) _segments[segment] = GC.AllocateUninitializedArray<byte>(length);
            tensor.File.Read(tensor.Offset, _segments[segment].AsSpan(0, length));
            _places.Add(tensor, (segment, 0, length));
        }
    }

    /// <summary>The bytes of a tensor, if it is held.</summary>
    public bool TryGet(StoredTensor tensor, out ReadOnlySpan<byte> bytes)
    {
        bool held = _places.TryGetValue(tensor, out var place);
        bytes = held ? _segments[place.Segment].AsSpan(place.Start, place.Length) : default;
        return held;
    }
}
