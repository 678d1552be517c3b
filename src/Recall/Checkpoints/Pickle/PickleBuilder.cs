using Recall.Numerics;

namespace Recall.Checkpoints.Pickle;

/// <summary>What the allowed functions of a state dict's pickle stand for: they describe tensors; nothing is called.</summary>
sealed class PickleBuilder(PickleStream stream)
{
    const int MostDimensions = 64;

    /// <summary>The object that a function and its arguments describe.</summary>
    public object Call(object function, object[] arguments)
    {
        if (function is not PickleGlobal global) throw stream.Bad("calls something that is no function");
        switch (global.Kind)
        {
            case PickleGlobalKind.Dict when arguments.Length == 0: return new PickleDict();
            case PickleGlobalKind.Set: return PickleOpaque.Set;
            case PickleGlobalKind.Encode: return PickleOpaque.Bytes;
            case PickleGlobalKind.Layout: return PickleOpaque.Layout;
            case PickleGlobalKind.Size when arguments is [object[] extents]: return extents;
            case PickleGlobalKind.RebuildTensor: return Tensor(global, arguments, 4);
            case PickleGlobalKind.RebuildTensorV2: return Tensor(global, arguments, 6);
            case PickleGlobalKind.RebuildTensorV3: return Tensor(global, arguments, 7);
            case PickleGlobalKind.RebuildParameter:
                return arguments is [PickleTensor data, ..] ? data : throw stream.Bad("makes a parameter of something that is no tensor");
            case PickleGlobalKind.RebuildForeign: return Foreign($"a tensor of {global.Name}");
            default: throw stream.Bad($"calls {global.Name} in a way that no state dict needs");
        }
    }

    /// <summary>The storage that a persistent id names: <c>("storage", class, key, location, number of elements)</c>, in legacy files with a view.</summary>
    public PickleStorage Storage(object id)
    {
        if (id is not object[] { Length: 5 or 6 } parts || parts[0] is not "storage")
            throw stream.Bad("has a persistent id that is not a tuple (\"storage\", class, key, location, size)");
        if (parts[1] is not PickleGlobal { Kind: PickleGlobalKind.Storage or PickleGlobalKind.UntypedStorage } type)
            throw stream.Bad("has a storage of a class that is no storage");
        if (parts[2] is not string key || parts[4] is not long count)
            throw stream.Bad("has a storage whose key is no text or whose size is no integer");
        if (count < 0) throw stream.Bad($"has the storage {Quoted.Of(key)} of the negative size {count}");
        if (parts.Length == 5 || parts[5] is PickleOpaque) return new PickleStorage(type, key, count, View: null);
        if (parts[5] is not object[] { Length: 3 } view || view[1] is not long offset || view[2] is not long length)
            throw stream.Bad($"has the storage {Quoted.Of(key)} with a view that is no (key, offset, size)");
        if (offset < 0 || length < 0 || offset > count || length > count - offset)
            throw stream.Bad($"has a view of {length} elements from {offset} on that reaches beyond its storage {Quoted.Of(key)} of {count}");
        return new PickleStorage(type, key, count, (offset, length));
    }

    PickleTensor Tensor(PickleGlobal function, object[] arguments, int least)
    {
        if (arguments.Length < least) throw stream.Bad($"calls {function.Name} with {arguments.Length} arguments; {least} are needed");
        if (arguments[0] is not PickleStorage storage) throw stream.Bad("makes a tensor of something that is no storage");
        if (arguments[1] is not long offset) throw stream.Bad("has a tensor whose offset is no integer");
        var extents = Integers(arguments[2], "sizes");
        var strides = Integers(arguments[3], "strides");
        var typed = storage.Type;
        if (function.Kind == PickleGlobalKind.RebuildTensorV3)
            typed = arguments[6] as PickleGlobal is { Kind: PickleGlobalKind.DType } type ? type
                : throw stream.Bad("has a tensor whose dtype is no dtype");
        if (typed.DType is not { } dtype) return Foreign($"a tensor of {typed.Name}");
        return new PickleTensor(storage, dtype, offset, extents, strides);
    }

    long[] Integers(object tuple, string what)
    {
        if (tuple is not object[] parts) throw stream.Bad($"has a tensor whose {what} are no tuple");
        if (parts.Length > MostDimensions) throw stream.Bad($"has a tensor of {parts.Length} dimensions, more than {MostDimensions}");
        return [.. parts.Select(part => part is long number ? number : throw stream.Bad($"has a tensor whose {what} are not integers"))];
    }

    static PickleTensor Foreign(string kind) => new(Storage: null, DType.F32, 0, [], [], kind);
}
