using Recall.Checkpoints;
using Recall.Methods;
using Recall.Numerics;
using Recall.Planning;

namespace Recall.Streaming;

/// <summary>One output tensor on its way: its tiles, its merge, what its reduce passes have found so far.</summary>
sealed class TensorWork
{
    const int CopiedTileBytes = 1 << 20;

    // In a sample so many neighbouring strips are seen, which are fetched with one read, and then none until the stride is kept.
    const int SampledNeighbours = 4;

    readonly OutputTensor _tensor;
    readonly TensorMerge? _merge;
    readonly Action? _ended;
    readonly StoredTensor[]? _stored;       // the sources, where all of them lie in files as bfloat16
    readonly long _elements;
    readonly int _stripElements;
    readonly Dictionary<int, double[]> _early = [];
    double[] _sums = [];
    long[] _counts = [];
    int _added;

    /// <param name="tensor">The tensor.</param>
    /// <param name="merge">Its merge; null where it is copied.</param>
    /// <param name="ended">Called when all of it is written.</param>
    public TensorWork(OutputTensor tensor, TensorMerge? merge, Action? ended = null)
    {
        (_tensor, _merge, _ended) = (tensor, merge, ended);
        _elements = tensor.Copied is null ? tensor.Shape.Elements : tensor.Length;
        TileElements = tensor.Copied is null ? TileReader.TileElements : CopiedTileBytes;
        _stripElements = TileReader.StripElements;
        if (merge is { WholeRows: true })
        {
            long row = Math.Max(tensor.Shape.RowLength, 1);
            _stripElements = checked((int)(Math.Max(TileReader.StripElements / row, 1) * row));
            TileElements = Math.Max(TileReader.TileElements / _stripElements, 1) * (long)_stripElements;
        }
        if (tensor.Sources.All(source => source is StoredTensor { DType: DType.BF16 })) _stored = [.. tensor.Sources.Cast<StoredTensor>()];
        Tiles = checked((int)((_elements + TileElements - 1) / TileElements));
    }

    /// <summary>Number of tiles.</summary>
    public int Tiles { get; }

    /// <summary>Elements of a tile; the last one may have fewer.</summary>
    public long TileElements { get; }

    /// <summary>True while the merge asks for a reduce pass of this number.</summary>
    public bool HasPass(int pass) => _merge is not null && pass < _merge.Passes;

    /// <summary>Makes room for a pass.</summary>
    public void BeginPass(int pass)
    {
        var (sums, counts) = _merge!.Reduction(pass);
        (_sums, _counts, _added) = (new double[sums], new long[counts], 0);
    }

    /// <summary>One tile of a reduce pass.</summary>
    public void Reduce(int pass, int tile, Worker worker)
    {
        var (sumCount, countCount) = _merge!.Reduction(pass);
        Span<double> sums = worker.Sums(sumCount);
        Span<long> counts = worker.Counts(countCount);
        bool sampling = pass == 0 && _merge.SampleStride > 1, first = pass == (_merge.SampleStride > 1 ? 1 : 0);
        Begin(worker, sampling ? SampledNeighbours * _stripElements : TileElements);
        long end = Math.Min((tile + 1) * TileElements, _elements);
        for (long start = tile * TileElements; start < end; start += _stripElements)
        {
            if (sampling && start / _stripElements % (SampledNeighbours * _merge.SampleStride) >= SampledNeighbours) continue;
            int length = (int)Math.Min(_stripElements, end - start);
            var strip = Read(worker, start, length, tile);
            if (first) CheckInputs(strip);
            _merge.Reduce(pass, strip, sums, counts);
            if (_merge.ShowsDamage && sums.IndexOfAnyExceptInRange(double.MinValue, double.MaxValue) >= 0
                && DamagedInput(Read(worker, start, strip.Length, tile)) is { } damage) throw damage;
        }
        lock (_early)
        {
            AddInOrder(tile, sums);
            Counters.Move(counts, _counts);
        }
    }

    // Sums are added tile by tile in the tensor's order; those of a tile that is done before its turn wait.
    void AddInOrder(int tile, ReadOnlySpan<double> sums)
    {
        if (sums.IsEmpty) return;
        if (tile != _added)
        {
            _early.Add(tile, sums.ToArray());
            return;
        }
        Add(sums);
        while (_early.Remove(_added, out double[]? next)) Add(next);

        void Add(ReadOnlySpan<double> one)
        {
            for (int i = 0; i < one.Length; i++) _sums[i] += one[i];
            _added++;
        }
    }

    // A method that drops elements, or compares them, would lose a NaN in silence.
    void CheckInputs(in Strip strip)
    {
        if (_merge!.ShowsDamage) return;
        for (int i = 0; i < _tensor.Sources.Length; i++)
        {
            bool finite = strip.HoldsBFloat16 ? BFloat16.AreFinite(strip.BFloat16s(i)) : float.IsFinite(Elementwise.MaxMagnitude(strip[i]));
            if (!finite) throw DamagedInput(strip)!;
        }
    }

    /// <summary>Gives the merge what the pass has found.</summary>
    public void EndPass(int pass)
    {
        _merge!.EndPass(pass, new Reduced(_sums, _counts));
        (_sums, _counts) = ([], []);
    }

    /// <summary>Ends the tensor, after its last tile.</summary>
    public void End()
    {
        _merge?.End();
        _ended?.Invoke();
    }

    /// <summary>Bytes of a tile in the output.</summary>
    public int Bytes(int tile) => checked((int)(Place(tile + 1) - Place(tile)));

    // Where a tile begins in the output.
    long Place(int tile)
    {
        long first = Math.Min(tile * TileElements, _elements);
        return _tensor.Copied is null ? PlainEncoding.Of(_tensor.DType).Bytes(first) : first;
    }

    /// <summary>Merges one tile and has it written; then its bytes are told.</summary>
    public void Apply(int tile, Worker worker, OutputWriter writer, Action<int> written)
    {
        var file = writer[_tensor.Shard];
        int length = Bytes(tile);
        byte[] buffer = file.Rent(length);
        if (_tensor.Copied is { } stored)
        {
            Begin(worker, TileElements);
            worker.Reader.Bytes(stored, Place(tile), length).CopyTo(buffer);
        }
        else Merge(tile, worker, buffer.AsSpan(0, length));
        file.Write(_tensor.Offset + Place(tile), buffer, length, () => written(length));
    }

    /// <summary>Merges one tile into the bytes that it has in the output.</summary>
    public void Merge(int tile, Worker worker, Span<byte> bytes)
    {
        long first = tile * TileElements, end = Math.Min(first + TileElements, _elements);
        var encoding = PlainEncoding.Of(_tensor.DType);
        Begin(worker, TileElements);
        bool checkInputs = _merge!.Passes == 0;
        for (long start = first; start < end; start += _stripElements)
        {
            int length = (int)Math.Min(_stripElements, end - start);
            var strip = Read(worker, start, length, tile);
            if (checkInputs) CheckInputs(strip);
            var output = worker.Output(length);
            _merge.Apply(strip, output);
            var place = bytes.Slice((int)encoding.Bytes(start - first), (int)encoding.Bytes(length));
            if (!encoding.TryEncode(output, place)) throw NotFinite(worker, start, length, output);
        }
    }

    void Begin(Worker worker, long window)
    {
        if (!ReferenceEquals(worker.LastTensor, this))
        {
            worker.Reader.BeginTensor();
            worker.LastTensor = this;
            worker.Stored = _stored is null ? null : new BFloat16Strip(_stored, worker.Reader);
        }
        worker.Reader.Begin(window);
    }

    Strip Read(Worker worker, long start, int length, int tile)
    {
        var strips = worker.Strips(_tensor.Sources.Length, length);
        if (_stored is not null) return new Strip(strips, start, length, tile, worker.Stored!.At(start, length));
        for (int i = 0; i < _tensor.Sources.Length; i++) _tensor.Sources[i].Read(worker.Reader, start, strips[i].AsSpan(0, length));
        return new Strip(strips, start, length, tile);
    }

    RecallException NotFinite(Worker worker, long start, int length, ReadOnlySpan<float> output)
    {
        int at = output.IndexOfAnyExceptInRange(-_tensor.DType.LargestNumber(), _tensor.DType.LargestNumber());
        float value = output[at];
        return DamagedInput(Read(worker, start, length, 0)) ?? new RecallException(float.IsFinite(value)
            ? $"{_tensor.Name}: the merged value {value:R} at element {start + at} is too large for {_tensor.DType.TorchName()}; set out_dtype: float32, or smaller weights"
            : $"{_tensor.Name}: the method {_tensor.Method.Name} gives {value} at element {start + at}; its inputs are finite, so the parameters (weights that cancel, say) make it");
    }

    RecallException? DamagedInput(in Strip inputs)
    {
        for (int i = 0; i < _tensor.Sources.Length; i++)
        {
            int bad = inputs[i].IndexOfAnyExceptInRange(float.MinValue, float.MaxValue);
            if (bad >= 0)
                return new RecallException($"{_tensor.Inputs.ModelNames[i]}: tensor {_tensor.Sources[i].Name} holds {inputs[i][bad]} at element {inputs.Start + bad}: the model is damaged (training that diverged, or a broken copy)");
        }
        return null;
    }
}
