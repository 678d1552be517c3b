using System.Runtime.InteropServices;

namespace Recall.Checkpoints.Gguf;

/// <summary>
/// The keys and values of a GGUF header. A value is a <see cref="byte"/> … <see cref="double"/>, <see cref="bool"/> or <see cref="string"/>,
/// or an array of one of these; arrays of arrays are <see cref="Array"/>[].
/// </summary>
sealed class GgufMetadata(string path, IReadOnlyDictionary<string, object> values)
{
    const int LongestKey = 65_535, MostElements = 8 * 1024 * 1024, DeepestArray = 4;
    const uint TextType = 8, ArrayType = 9, BoolType = 7;

    // Bytes of one value of each type; of texts and arrays at least so many.
    static readonly int[] Sizes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];

    public IReadOnlyDictionary<string, object> Values => values;

    public bool Has(string key) => values.ContainsKey(key);

    public string? Text(string key) => Get<string>(key, "text");

    public bool? Flag(string key)
        => values.TryGetValue(key, out object? value) ? value as bool? ?? throw Wrong(key, "true or false") : null;

    public string[]? Texts(string key) => Get<string[]>(key, "an array of texts");

    public float[]? Numbers(string key) => Get<float[]>(key, "an array of FLOAT32");

    public int[]? Integers(string key) => values.GetValueOrDefault(key) is uint[] unsigned
        ? MemoryMarshal.Cast<uint, int>(unsigned).ToArray() : Get<int[]>(key, "an array of INT32");

    public long? Integer(string key) => !values.TryGetValue(key, out object? value) ? null : value switch
    {
        byte or sbyte or ushort or short or uint or int or long => Convert.ToInt64(value),
        ulong large and <= long.MaxValue => (long)large,
        _ => throw Wrong(key, "an integer"),
    };

    public double? Number(string key) => !values.TryGetValue(key, out object? value) ? null : value switch
    {
        float or double => Convert.ToDouble(value),
        byte or sbyte or ushort or short or uint or int or ulong or long => Convert.ToDouble(value),
        _ => throw Wrong(key, "a number"),
    };

    /// <summary>An integer that must be there and be at least 1.</summary>
    public long Count(string key)
    {
        long count = Integer(key) ?? throw new RecallException($"{path}: metadata {Quoted.Of(key)} is missing");
        return count >= 1 ? count : throw new RecallException($"{path}: metadata {Quoted.Of(key)} is {count}; at least 1 is needed");
    }

    public RecallException Wrong(string key, string expected) => new($"{path}: metadata {Quoted.Of(key)} must be {expected}");

    T? Get<T>(string key, string expected) where T : class
        => values.TryGetValue(key, out object? value) ? value as T ?? throw Wrong(key, expected) : null;

    /// <summary>Reads so many keys with their values.</summary>
    public static GgufMetadata Read(GgufCursor cursor, string path, ulong count)
    {
        var values = new Dictionary<string, object>(StringComparer.Ordinal);
        for (ulong i = 0; i < count; i++)
        {
            string key = cursor.Text($"metadata key {i + 1} of {count}", LongestKey);
            if (key.Length == 0) throw cursor.Bad($"metadata key {i + 1} is empty");
            string what = $"metadata {Quoted.Of(key)}";
            object value = ReadValue(cursor, cursor.UInt32(what), what);
            if (!values.TryAdd(key, value)) throw cursor.Bad($"{what} stands twice");
        }
        return new GgufMetadata(path, values);
    }

    static object ReadValue(GgufCursor cursor, uint type, string what)
    {
        if (type == TextType) return cursor.Text(what);
        if (type == ArrayType) return ReadArray(cursor, what, 1);
        return ReadScalars(cursor, type, 1, what).GetValue(0)!;
    }

    static Array ReadArray(GgufCursor cursor, string what, int depth)
    {
        if (depth > DeepestArray) throw cursor.Bad($"{what} nests arrays deeper than {DeepestArray}");
        uint type = cursor.UInt32(what);
        ulong count = cursor.UInt64(what);
        if (type >= Sizes.Length) throw cursor.Bad($"{what} is an array of the unknown value type {type}");
        if (count > (ulong)(cursor.Remaining / Sizes[type]))
            throw cursor.Bad($"{what} claims {count} elements, more than the file can hold");
        if (count > MostElements) throw cursor.Bad($"{what} has {count} elements, above the limit of {MostElements}");
        if (type == TextType)
        {
            var texts = new string[count];
            for (int i = 0; i < texts.Length; i++) texts[i] = cursor.Text(what);
            return texts;
        }
        if (type == ArrayType)
        {
            var arrays = new Array[count];
            for (int i = 0; i < arrays.Length; i++) arrays[i] = ReadArray(cursor, what, depth + 1);
            return arrays;
        }
        return ReadScalars(cursor, type, (int)count, what);
    }

    static Array ReadScalars(GgufCursor cursor, uint type, int count, string what)
    {
        if (type >= Sizes.Length) throw cursor.Bad($"{what} has the unknown value type {type}");
        var bytes = cursor.Take(checked(count * Sizes[type]), what);
        if (type == BoolType && bytes.ContainsAnyExceptInRange((byte)0, (byte)1))
            throw cursor.Bad($"{what} holds a BOOL that is neither 0 nor 1");
        return type switch
        {
            0 => bytes.ToArray(),
            1 => MemoryMarshal.Cast<byte, sbyte>(bytes).ToArray(),
            2 => MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(),
            3 => MemoryMarshal.Cast<byte, short>(bytes).ToArray(),
            4 => MemoryMarshal.Cast<byte, uint>(bytes).ToArray(),
            5 => MemoryMarshal.Cast<byte, int>(bytes).ToArray(),
            6 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            BoolType => MemoryMarshal.Cast<byte, bool>(bytes).ToArray(),
            10 => MemoryMarshal.Cast<byte, ulong>(bytes).ToArray(),
            11 => MemoryMarshal.Cast<byte, long>(bytes).ToArray(),
            _ => MemoryMarshal.Cast<byte, double>(bytes).ToArray(),
        };
    }
}
