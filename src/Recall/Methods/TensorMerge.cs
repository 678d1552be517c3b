using System.Runtime.InteropServices;
using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.Methods;

/// <summary>
/// The merge of one tensor: as many reduce passes over all its elements as the method needs statistics, then one pass that gives the output.
/// Passes see the tensor strip by strip, in any order and from several threads; what they add up is kept apart for each tile and added in the
/// order of the tiles, so that the result is the same on any number of threads.
/// </summary>
public abstract class TensorMerge
{
    /// <summary>Number of reduce passes; asked again after each, so that a method may go on until it has converged.</summary>
    public virtual int Passes => 0;

    /// <summary>True where strips must be whole rows (runs of the last dimension).</summary>
    public virtual bool WholeRows => false;

    /// <summary>
    /// True where a NaN or an infinity in any input shows in the sums of the first pass or, without passes, in the output at the same element, so that
    /// the inputs need not be looked through for them.
    /// </summary>
    public virtual bool ShowsDamage => false;

    /// <summary>
    /// The first reduce pass is a sample that sees one strip in so many, a few neighbours at a time; 1: all is seen.
    /// </summary>
    public virtual int SampleStride => 1;

    /// <summary>How many sums and how many counters a reduce pass has.</summary>
    public virtual (int Sums, int Counts) Reduction(int pass) => (0, 0);

    /// <summary>Adds a strip's share to the sums and counters of its tile.</summary>
    public virtual void Reduce(int pass, in Strip strip, Span<double> sums, Span<long> counts) { }

    /// <summary>Takes the results of a pass.</summary>
    public virtual void EndPass(int pass, Reduced reduced) { }

    /// <summary>The output of a strip.</summary>
    public abstract void Apply(in Strip strip, Span<float> output);

    /// <summary>Bytes that are kept from pass to pass, beside sums and counters.</summary>
    internal virtual long KeptBytes => 0;

    /// <summary>Gives back what was borrowed for the tensor, after its last strip.</summary>
    internal virtual void End() { }
}

/// <summary>A run of elements of one tensor in all models, as float32.</summary>
public readonly ref struct Strip
{
    readonly float[][] _values;
    readonly BFloat16Strip? _stored;

    internal Strip(float[][] values, long start, int length, int tile, BFloat16Strip? stored = null)
    {
        (_values, _stored) = (values, stored);
        Start = start;
        Length = length;
        Tile = tile;
    }

    /// <summary>Index of the first element in the tensor, row-major.</summary>
    public long Start { get; }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>The tile that the strip belongs to.</summary>
    public int Tile { get; }

    /// <summary>The values of an input. They belong to the pass: a method may change them in place.</summary>
    public Span<float> this[int input]
    {
        get
        {
            var values = _values[input].AsSpan(0, Length);
            _stored?.Decode(input, values);
            return values;
        }
    }

    /// <summary>The values of all inputs, as <see cref="this"/> gives them; each array may be longer than the strip.</summary>
    internal ReadOnlySpan<float[]> Inputs
    {
        get
        {
            for (int input = 0; input < _values.Length; input++) _ = this[input];
            return _values;
        }
    }

    /// <summary>The float32 buffers behind <see cref="this[int]"/>, one an input and at least as long as the strip, for a method that fills them itself.</summary>
    internal ReadOnlySpan<float[]> Buffers => _values;

    /// <summary>True where <see cref="BFloat16s"/> gives the inputs as they lie in their files.</summary>
    internal bool HoldsBFloat16 => _stored is not null;

    /// <summary>The values of an input as they lie in its file: for kernels that widen them in registers.</summary>
    internal ReadOnlySpan<BFloat16> BFloat16s(int input) => _stored!.Bits(input);

    /// <summary>The values of an input as T: float32 (<see cref="this[int]"/>) or bfloat16 (<see cref="BFloat16s"/>).</summary>
    internal ReadOnlySpan<T> Values<T>(int input) where T : unmanaged =>
        typeof(T) == typeof(BFloat16) ? MemoryMarshal.Cast<BFloat16, T>(BFloat16s(input)) : MemoryMarshal.Cast<float, T>(this[input]);

    /// <summary>An input less another one, as T.</summary>
    internal Differences<T> Differences<T>(int input, int origin) where T : unmanaged => new(Values<T>(input), Values<T>(origin));
}

/// <summary>
/// A strip whose inputs all lie in files as bfloat16, at the same places: decoded to float32 only where a method asks for that.
/// </summary>
sealed class BFloat16Strip(StoredTensor[] tensors, TileReader reader)
{
    readonly bool[] _decoded = new bool[tensors.Length];
    long _start;
    int _length;

    /// <summary>Moves to another run of elements.</summary>
    public BFloat16Strip At(long start, int length)
    {
        (_start, _length) = (start, length);
        Array.Clear(_decoded);
        return this;
    }

    /// <summary>The values of an input as they lie in its file.</summary>
    public ReadOnlySpan<BFloat16> Bits(int input) =>
        MemoryMarshal.Cast<byte, BFloat16>(reader.Bytes(tensors[input], _start * sizeof(ushort), _length * sizeof(ushort)));

    /// <summary>Widens the values of an input, once a strip.</summary>
    public void Decode(int input, Span<float> values)
    {
        if (_decoded[input]) return;
        reader.Decode(tensors[input], _start, values);
        _decoded[input] = true;
    }
}

/// <summary>What a reduce pass found.</summary>
/// <param name="Sums">The sums: those of the tiles, added in the order of the tiles.</param>
/// <param name="Counts">The counters, over all tiles.</param>
public sealed record Reduced(double[] Sums, long[] Counts)
{
    /// <summary>A sum over the tensor.</summary>
    public double Sum(int index) => Sums[index];
}
