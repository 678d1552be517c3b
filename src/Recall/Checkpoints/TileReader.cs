namespace Recall.Checkpoints;

/// <summary>
/// The buffers of one worker thread. Tensors are read tile by tile and decoded strip by strip: the bytes of a tile are fetched with one read into
/// a window that is kept for the strips that follow, also when several models (five adapters on one base) decode the same stored tensor.
/// Buffers are kept from tile to tile: memory is that of one tile a stored tensor.
/// </summary>
public sealed class TileReader(LayerBuffer? resident = null)
{
    /// <summary>Elements of one tile: 512 KiB of bf16.</summary>
    public const int TileElements = 256 * 1024;

    /// <summary>Elements of one strip: 32 KiB of float32, so that a result and the bfloat16 inputs of a strip stay near the first-level cache.</summary>
    public const int StripElements = 8192;

    readonly Dictionary<StoredTensor, Window> _windows = new(ReferenceEqualityComparer.Instance);
    readonly Dictionary<StoredTensor, float[]> _whole = new(ReferenceEqualityComparer.Instance);
    readonly Dictionary<StoredTensor, float[]> _transposed = new(ReferenceEqualityComparer.Instance);
    readonly Stack<Window> _free = new();
    long _tileElements = TileElements;
    byte[] _row = [];
    bool _scattered;

    sealed class Window
    {
        public byte[] Bytes = [];
        public long Begin, End;     // byte range of the tensor that lies in Bytes
        public float[] Block = [];  // one decoded block of a quantised type, for ranges that cut it
    }

    /// <summary>Begins a tile of so many elements: what was fetched before is forgotten.</summary>
    public void Begin(long elements = TileElements)
    {
        _tileElements = elements;
        foreach (var window in _windows.Values)
        {
            window.Begin = window.End = 0;
            _free.Push(window);
        }
        _windows.Clear();
    }

    /// <summary>Begins another tensor: factors kept by <see cref="Whole"/> are forgotten.</summary>
    public void BeginTensor()
    {
        _whole.Clear();
        _transposed.Clear();
    }

    /// <summary>All values of a small stored tensor (a LoRA factor), decoded once a tensor.</summary>
    public ReadOnlySpan<float> Whole(StoredTensor tensor)
    {
        if (_whole.TryGetValue(tensor, out var values)) return values;
        values = new float[tensor.Shape.Elements];
        var bytes = new byte[tensor.Length];
        tensor.File.Read(tensor.Offset, bytes);
        tensor.Encoding.Decode(bytes, values);
        _whole.Add(tensor, values);
        return values;
    }

    /// <summary>All values of a small stored matrix, transposed, decoded once a tensor.</summary>
    public ReadOnlySpan<float> WholeTransposed(StoredTensor tensor)
    {
        if (_transposed.TryGetValue(tensor, out var values)) return values;
        var source = Whole(tensor);
        int rows = (int)tensor.Shape[0], columns = (int)tensor.Shape[1];
        values = new float[source.Length];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) values[j * rows + i] = source[i * columns + j];
        _transposed.Add(tensor, values);
        return values;
    }

    /// <summary>The bytes of whole blocks of a stored tensor: <paramref name="start"/> and <paramref name="length"/> count bytes from its beginning.</summary>
    public ReadOnlySpan<byte> Bytes(StoredTensor tensor, long start, int length)
    {
        if (resident is not null && resident.TryGet(tensor, out var all)) return all.Slice(checked((int)start), length);
        bool has = _windows.TryGetValue(tensor, out var window);
        if (!has || start < window!.Begin || start + length > window.End)
        {
            int fetch = (int)Math.Min(tensor.Length - start, Math.Max(length, BlocksOf(tensor, _tileElements)));
            // A row by itself leaves the window to those that read on.
            if (_scattered && fetch == length)
            {
                if (_row.Length < length) _row = GC.AllocateUninitializedArray<byte>(length);
                tensor.File.Read(tensor.Offset + start, _row.AsSpan(0, length));
                return _row.AsSpan(0, length);
            }
            if (!has)
            {
                if (!_free.TryPop(out window)) window = new Window();
                _windows.Add(tensor, window);
            }
            if (window!.Bytes.Length < fetch) window.Bytes = GC.AllocateUninitializedArray<byte>(fetch);
            tensor.File.Read(tensor.Offset + start, window.Bytes.AsSpan(0, fetch));
            (window.Begin, window.End) = (start, start + fetch);
        }
        return window.Bytes.AsSpan((int)(start - window.Begin), length);
    }

    /// <summary>
    /// Reads from a source of which no more than <paramref name="wanted"/> elements are asked for from there on: no more is fetched, so
    /// that scattered rows do not cost a tile each.
    /// </summary>
    internal void ReadUpTo(TensorSource source, long start, Span<float> destination, long wanted)
    {
        long tile = _tileElements;
        (_tileElements, _scattered) = (Math.Min(tile, wanted), true);
        source.Read(this, start, destination);
        (_tileElements, _scattered) = (tile, false);
    }

    /// <summary>The values of elements <paramref name="start"/> … of a stored tensor.</summary>
    public void Decode(StoredTensor tensor, long start, Span<float> destination)
    {
        var encoding = tensor.Encoding;
        int block = encoding.BlockElements;
        if (block == 1)
        {
            encoding.Decode(Bytes(tensor, start * encoding.BlockBytes, destination.Length * encoding.BlockBytes), destination);
            return;
        }
        while (destination.Length > 0)
        {
            int skip = (int)(start % block), whole = skip == 0 ? destination.Length / block : 0;
            long first = start / block * encoding.BlockBytes;
            if (whole > 0)
            {
                encoding.Decode(Bytes(tensor, first, whole * encoding.BlockBytes), destination[..(whole * block)]);
                start += whole * block;
                destination = destination[(whole * block)..];
                continue;
            }
            var bytes = Bytes(tensor, first, encoding.BlockBytes);
            var window = _windows.GetValueOrDefault(tensor) ?? new Window();
            if (window.Block.Length != block) window.Block = new float[block];
            encoding.Decode(bytes, window.Block);
            int taken = Math.Min(block - skip, destination.Length);
            window.Block.AsSpan(skip, taken).CopyTo(destination);
            start += taken;
            destination = destination[taken..];
        }
    }

    static long BlocksOf(StoredTensor tensor, long elements)
    {
        int block = tensor.Encoding.BlockElements;
        return (elements + block - 1) / block * tensor.Encoding.BlockBytes;
    }
}
