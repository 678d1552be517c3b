using System.IO.Compression;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Checkpoints.Pickle;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Checkpoints.Pickle;

/// <summary>Every case of fixtures/pickle: files of torch.save and hostile ones (its README tells).</summary>
public class GoldenPickleTests
{
    public static TheoryData<string> Cases()
    {
        string root = Fixtures.Path("pickle");
        return [.. Directory.GetFiles(root, "case.json", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(root, Path.GetDirectoryName(file)!)).Order()];
    }

    [Theory, MemberData(nameof(Cases))]
    public void FileIsReadExactlyOrRefusedWithAReason(string name)
    {
        string folder = Fixtures.Path("pickle", name);
        var @case = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "case.json")))!;
        string expect = @case["expect"]!.GetValue<string>();
        long before = GC.GetAllocatedBytesForCurrentThread();
        IReadOnlyList<TensorSource> tensors;
        try
        {
            tensors = OpenWeights(folder);
        }
        catch (RecallException e)
        {
            Assert.NotEqual("equal", expect);
            Assert.StartsWith(folder, e.Message);
            Assert.InRange(e.Message.Length, folder.Length + 30, folder.Length + 500);
            Assert.DoesNotContain(e.Message, char.IsControl);
            return;
        }
        finally
        {
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024 * 1024);
            if (@case["marker"] is JsonValue marker) Assert.False(File.Exists(marker.GetValue<string>()), "the file ran a command");
        }
        Assert.NotEqual("refuse", expect);
        Check(folder, tensors);
    }

    [Theory]
    [InlineData("os-system", "'os.system'")]
    [InlineData("builtins-eval", "'builtins.eval'")]
    [InlineData("builtin-eval-py2", "'__builtin__.eval'")]
    [InlineData("stack-global-memo", "'os.system'")]
    [InlineData("legacy-evil-keys", "'os.system'")]
    [InlineData("argparse-namespace", "'argparse.Namespace' (under the key 'x')")]
    [InlineData("numpy-reconstruct", "numpy")]
    [InlineData("tensor-complex-storage", "tensor 'w' is a tensor of torch.ComplexFloatStorage")]
    [InlineData("tensor-stride-wraps", "tensor 'w' has sizes, strides or an offset that overflow")]
    [InlineData("tensor-size-huge-stride-zero", "more than the file can hold")]
    [InlineData("storage-two-sizes", "needs a storage of")]
    [InlineData("memo-huge", "")]
    [InlineData("zip-bomb-pickle", "is compressed")]
    [InlineData("zip-two-roots", "several data.pkl")]
    [InlineData("zip-truncated", "is cut short")]
    [InlineData("torchscript", "TorchScript")]
    [InlineData("tar", "tar format")]
    [InlineData("lfs-pointer", "git lfs pull")]
    [InlineData("nested-twice", "'state_dict' and below 'model'")]
    [InlineData("root-tensor", "no state dict")]
    [InlineData("int-text-long", "is compressed")]
    [InlineData("newobj", "'subprocess.Popen'")]
    [InlineData("next-buffer", "NEXT_BUFFER")]
    [InlineData("opcode-unknown", "0xff")]
    [InlineData("no-stop", "without STOP")]
    [InlineData("../unsupported-sparse", "tensor 'x' is a tensor of torch._utils._rebuild_sparse_tensor")]
    [InlineData("../unsupported-fnuz", "tensor 'x' is a tensor of torch.float8_e4m3fnuz")]
    [InlineData("../sharded-missing", "pytorch_model-00002-of-00002.bin")]
    public void RefusalNamesWhatIsWrong(string name, string reason)
    {
        var error = Record.Exception(() => OpenWeights(Fixtures.Path("pickle", "hostile", name)));
        if (reason.Length > 0) Assert.Contains(reason, Assert.IsType<RecallException>(error).Message);
        else Assert.True(error is null or RecallException);
    }

    [Fact]
    public void ViewsAreReadTheSameInPiecesOfAnyLength()
    {
        foreach (var tensor in OpenWeights(Fixtures.Path("pickle", "views")))
        {
            var whole = Values(tensor);
            var pieces = new float[whole.Length];
            var reader = new TileReader();
            reader.BeginTensor();
            for (int start = 0, length = 1; start < pieces.Length; start += length, length = length % 7 + 2)
            {
                length = Math.Min(length, pieces.Length - start);
                reader.Begin(elements: 8);
                tensor.Read(reader, start, pieces.AsSpan(start, length));
            }
            Assert.Equal(whole, pieces);
        }
    }

    [Fact]
    public void FolderWithAConfigIsACheckpointAndSafetensorsComeFirst()
    {
        using var folder = new TemporaryFolder();
        folder.Copy(Fixtures.Path("pickle", "plain"));
        File.WriteAllText(folder["config.json"], """{"model_type": "llama"}""");
        var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal("llama", checkpoint.Config["model_type"]!.GetValue<string>());
        Assert.All(checkpoint.Tensors, tensor => Assert.EndsWith("pytorch_model.bin", tensor.Stored.Single().File.Path));

        File.Move(folder["expected.safetensors"], folder["model.safetensors"]);
        Assert.All(Checkpoint.Open(folder.Path).Tensors, tensor => Assert.EndsWith("model.safetensors", tensor.Stored.Single().File.Path));
    }

    [Fact]
    public void AnyByteOfAPickleMayBeWrong()
    {
        using var folder = new TemporaryFolder();
        foreach (string name in new[] { "parameters", "legacy" })
        {
            var bytes = File.ReadAllBytes(Fixtures.Path("pickle", name, "pytorch_model.bin"));
            for (int at = 0; at < Math.Min(bytes.Length, 1200); at += 3)
            {
                var changed = bytes.ToArray();
                changed[at] ^= (byte)(1 + at % 255);
                File.WriteAllBytes(folder["x.bin"], changed);
                var error = Record.Exception(() => Checkpoint.Open(folder["x.bin"]).Tensors.Select(Values).ToList());
                Assert.True(error is null or RecallException, $"{name}, byte {at}: {error}");
            }
        }
    }

    [Fact]
    public void MachineIsBoundedOnPicklesThatAZipHidByCompression()
    {
        using var folder = new TemporaryFolder();
        int read = 0;
        foreach (string path in Directory.GetFiles(Fixtures.Path("pickle", "hostile"), "*.bin", SearchOption.AllDirectories))
        {
            if (!Inflate(path, folder["data.pkl"])) continue;
            read++;
            using var file = DataFile.Open(folder["data.pkl"]);
            long before = GC.GetAllocatedBytesForCurrentThread();
            var error = Record.Exception(() => StateDict.Find(new PickleReader(new PickleStream(file, "data.pkl", 0, file.Length)).Read(), file.Path));
            Assert.True(error is null or RecallException, $"{path}: {error}");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256 * 1024 * 1024);
        }
        Assert.InRange(read, 5, 100);
    }

    // The compressed data.pkl of an archive, if that is what it has, up to 32 MB of it.
    static bool Inflate(string path, string to)
    {
        try
        {
            using var zip = ZipFile.OpenRead(path);
            if (zip.Entries.SingleOrDefault(entry => entry.Name == "data.pkl") is not { } pickle || pickle.CompressedLength == pickle.Length) return false;
            using Stream from = pickle.Open(), file = File.Create(to);
            var buffer = new byte[32_000_000];
            file.Write(buffer, 0, from.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
            return true;
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException)
        {
            return false;
        }
    }

    // The folders of fixtures have no config.json; the weights are opened as a checkpoint's are.
    static IReadOnlyList<TensorSource> OpenWeights(string folder)
    {
        string single = Path.Combine(folder, "pytorch_model.bin"), index = Path.Combine(folder, "pytorch_model.bin.index.json");
        return File.Exists(single) ? Checkpoint.Open(single).Tensors : ShardIndex.Read(index, PickleFile.Read);
    }

    static void Check(string folder, IReadOnlyList<TensorSource> tensors)
    {
        string path = Path.Combine(folder, "expected.safetensors");
        if (!File.Exists(path))
        {
            Assert.Equal([0f, 1f, 2f, 3f, 4f, 5f], Values(tensors.Single(tensor => tensor.Name == "w")));
            return;
        }
        var expected = SafetensorsFile.Read(DataFile.Open(path)).Tensors.ToDictionary(tensor => tensor.Name);
        Assert.Equal(expected.Keys.Order(), tensors.Select(tensor => tensor.Name).Order());
        foreach (var tensor in tensors)
        {
            Assert.Equal(expected[tensor.Name].Shape, tensor.Shape);
            Assert.Equal(expected[tensor.Name].DType, tensor.DType);
            Assert.Equal(Bytes(expected[tensor.Name]), Bytes(tensor));
        }
    }

    static byte[] Bytes(TensorSource tensor)
    {
        var bytes = new byte[tensor.Shape.Elements * tensor.DType.Size()];
        if (tensor.Verbatim is { } stored) stored.File.Read(stored.Offset, bytes);
        else PlainEncoding.Of(tensor.DType).Encode(Values(tensor), bytes);
        return bytes;
    }

    static float[] Values(TensorSource tensor)
    {
        var values = new float[tensor.Shape.Elements];
        tensor.Read(new TileReader(), 0, values);
        return values;
    }
}
