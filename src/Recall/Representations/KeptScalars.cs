using System.Collections.Concurrent;
using TorchSharp;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// Arithmetic with scalars that are never collected. TorchSharp 0.107 makes an object for every number that a call takes, the hidden
/// factor of
/// <c>a + b</c> included, and does not hold it while libtorch reads it: a garbage collection at that moment frees it, and the call
/// fails, or computes
/// with another number. It was seen on a busy machine; so forward passes do without such objects.
/// </summary>
static class KeptScalars
{
    static readonly Scalar One = 1, MinusOne = -1, Zero = 0, MinusInfinity = double.NegativeInfinity;
    static readonly ConcurrentDictionary<double, Tensor> Numbers = new();

    /// <summary>a + b.</summary>
    public static Tensor Plus(this Tensor a, Tensor b) => a.add(b, One);

    /// <summary>a − b.</summary>
    public static Tensor Minus(this Tensor a, Tensor b) => a.add(b, MinusOne);

    /// <summary>a += b · c.</summary>
    public static void AddProduct(this Tensor a, Tensor b, Tensor c) => a.addcmul_(b, c, One);

    /// <summary>a + number; there are few such numbers.</summary>
    public static Tensor Plus(this Tensor a, double number) => a.add(Of(number), One);

    /// <summary>a · number.</summary>
    public static Tensor Times(this Tensor a, double number) => a * Of(number);

    static Tensor Of(double number) => Numbers.GetOrAdd(number, static value => tensor((float)value).DetachFromDisposeScope());

    /// <summary>a within ± number; there are few such numbers.</summary>
    public static Tensor Clipped(this Tensor a, double number) => a.minimum(Of(number)).maximum(Of(-number));

    /// <summary>0 where the mask is true.</summary>
    public static Tensor ZeroWhere(this Tensor a, Tensor mask) => a.masked_fill(mask, Zero);

    /// <summary>sum += addend.</summary>
    public static Tensor AddIn(this Tensor sum, Tensor addend) => sum.add_(addend, One);

    /// <summary>sum −= addend.</summary>
    public static Tensor SubtractIn(this Tensor sum, Tensor addend) => sum.add_(addend, MinusOne);

    /// <summary>a · number, where numbers are many, or a is in double precision.</summary>
    public static Tensor Scaled(this Tensor a, double number)
    {
        using Scalar factor = number;
        return a.mul(factor);
    }

    /// <summary>a².</summary>
    public static Tensor Squared(this Tensor a) => a * a;

    /// <summary>True where a is above 0.</summary>
    public static Tensor IsPositive(this Tensor a) => a.gt(Zero);

    /// <summary>The whole numbers from the first one to before the end: int64.</summary>
    public static Tensor Range(long first, long end)
    {
        long[] numbers = new long[end - first];
        for (int i = 0; i < numbers.Length; i++) numbers[i] = first + i;
        return tensor(numbers);
    }

    /// <summary>max(a, 0).</summary>
    public static Tensor AtLeastZero(this Tensor a) => a.clamp(min: Zero);

    /// <summary>−∞ where the mask is true.</summary>
    public static Tensor HiddenWhere(this Tensor a, Tensor mask) => a.masked_fill(mask, MinusInfinity);

    /// <summary>a with rows added: those of <paramref name="added"/> to the rows of these numbers.</summary>
    public static Tensor WithRows(this Tensor a, Tensor rows, Tensor added) => a.index_add(0, rows, added, One);
}
