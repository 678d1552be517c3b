using Recall.Numerics;

namespace Recall.Checkpoints.Pickle;

/// <summary>The names that the pickle of a state dict may hold. Every other name is refused where it stands, called or not.</summary>
static class PickleGlobals
{
    static readonly Dictionary<(string Module, string Name), PickleGlobal> Allowed = Make();

    public static PickleGlobal? Find(string module, string name) => Allowed.GetValueOrDefault((module, name));

    static Dictionary<(string, string), PickleGlobal> Make()
    {
        var allowed = new Dictionary<(string, string), PickleGlobal>();
        void Add(string module, PickleGlobalKind kind, params string[] names)
        {
            foreach (string name in names) allowed.Add((module, name), new PickleGlobal(kind, $"{module}.{name}"));
        }
        Add("collections", PickleGlobalKind.Dict, "OrderedDict");
        Add("__builtin__", PickleGlobalKind.Set, "set");
        Add("builtins", PickleGlobalKind.Set, "set");
        Add("_codecs", PickleGlobalKind.Encode, "encode");
        Add("torch", PickleGlobalKind.Size, "Size");
        Add("torch.serialization", PickleGlobalKind.Layout, "_get_layout");
        Add("torch", PickleGlobalKind.Constant, "per_tensor_affine", "per_channel_affine", "per_tensor_symmetric", "per_channel_symmetric");
        Add("torch._utils", PickleGlobalKind.RebuildTensor, "_rebuild_tensor");
        Add("torch._utils", PickleGlobalKind.RebuildTensorV2, "_rebuild_tensor_v2");
        Add("torch._utils", PickleGlobalKind.RebuildTensorV3, "_rebuild_tensor_v3");
        Add("torch._utils", PickleGlobalKind.RebuildParameter, "_rebuild_parameter", "_rebuild_parameter_with_state");
        Add("torch._utils", PickleGlobalKind.RebuildForeign, "_rebuild_sparse_tensor", "_rebuild_qtensor", "_rebuild_meta_tensor_no_storage", "_rebuild_nested_tensor");
        Add("torch", PickleGlobalKind.UntypedStorage, "UntypedStorage");
        Add("torch.storage", PickleGlobalKind.UntypedStorage, "UntypedStorage");
        Add("torch", PickleGlobalKind.Storage, "ComplexFloatStorage", "ComplexDoubleStorage", "QInt8Storage", "QInt32Storage", "QUInt8Storage", "QUInt4x2Storage");
        Add("torch", PickleGlobalKind.DType, "complex32", "complex64", "complex128", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "qint8", "quint8", "qint32");

        foreach (var (name, type) in new[]
        {
            ("Float", DType.F32), ("Double", DType.F64), ("Half", DType.F16), ("BFloat16", DType.BF16), ("Long", DType.I64), ("Int", DType.I32),
            ("Short", DType.I16), ("Char", DType.I8), ("Byte", DType.U8), ("Bool", DType.Bool),
        })
            allowed.Add(("torch", $"{name}Storage"), new PickleGlobal(PickleGlobalKind.Storage, $"torch.{name}Storage", type));
        foreach (var type in Enum.GetValues<DType>())
            allowed.Add(("torch", type.TorchName()), new PickleGlobal(PickleGlobalKind.DType, $"torch.{type.TorchName()}", type));
        return allowed;
    }
}
