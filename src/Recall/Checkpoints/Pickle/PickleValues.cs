using Recall.Numerics;

namespace Recall.Checkpoints.Pickle;

// What a pickle of a state dict is made of. None of these is a .NET object of the file's choosing: names are compared with a list, never looked up.

/// <summary>A value of which only the presence matters: None, a float, bytes, a set.</summary>
sealed record PickleOpaque(string Kind)
{
    public static readonly PickleOpaque None = new("None"), Number = new("a number"), Bytes = new("bytes"), Set = new("a set"), Layout = new("a layout");
}

/// <summary>A boolean; not an integer here.</summary>
sealed record PickleBoolean(bool Value)
{
    public static readonly PickleBoolean True = new(true), False = new(false);
}

/// <summary>A list. Its elements are kept only where they are needed, so that nothing is walked that a hostile file has multiplied.</summary>
sealed record PickleList(List<object>? Elements);

/// <summary>A dict: what stands under names. Values under integers (an optimizer's state) are dropped; <see cref="UnnamedTensor"/> tells of tensors there.</summary>
sealed class PickleDict
{
    Dictionary<string, object>? _entries;

    public IReadOnlyDictionary<string, object> Entries => _entries ??= new Dictionary<string, object>(StringComparer.Ordinal);

    public bool UnnamedTensor { get; private set; }

    public void Set(object key, object value)
    {
        if (key is string name) (_entries ??= new Dictionary<string, object>(StringComparer.Ordinal))[name] = value;
        else UnnamedTensor |= value is PickleTensor;
    }
}

/// <summary>A name of a module, on the list of allowed ones: a function, a dtype, or a class of storages.</summary>
sealed record PickleGlobal(PickleGlobalKind Kind, string Name, DType? DType = null);

enum PickleGlobalKind
{
    Dict, Set, Encode, Size, Layout, Constant, RebuildTensor, RebuildTensorV2, RebuildTensorV3, RebuildParameter, RebuildForeign, Storage, UntypedStorage, DType,
}

/// <summary>A storage that a persistent id names.</summary>
/// <param name="Type">Its class, of kind Storage or UntypedStorage.</param>
/// <param name="Key">The name of its record.</param>
/// <param name="Count">Elements; bytes of an untyped storage.</param>
/// <param name="View">In legacy files: the part of the storage that is meant.</param>
sealed record PickleStorage(PickleGlobal Type, string Key, long Count, (long Offset, long Count)? View);

/// <summary>A tensor: a view of a storage.</summary>
/// <param name="Storage">The storage; null for an unsupported kind.</param>
/// <param name="DType">The type of its elements.</param>
/// <param name="Offset">The first element in the storage.</param>
/// <param name="Extents">Its sizes.</param>
/// <param name="Strides">Elements from one index to the next, in each dimension.</param>
/// <param name="Unsupported">What it is, where it is of a kind that Recall does not read; the other properties mean nothing then.</param>
sealed record PickleTensor(PickleStorage? Storage, DType DType, long Offset, IReadOnlyList<long> Extents, IReadOnlyList<long> Strides, string? Unsupported = null);
