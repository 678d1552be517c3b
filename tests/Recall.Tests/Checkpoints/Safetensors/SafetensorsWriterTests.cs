using System.Buffers.Binary;
using CsCheck;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Checkpoints.Safetensors;

public class SafetensorsWriterTests
{
    static readonly Gen<(string Name, DType Type, Shape Shape)> AnyTensor = Gen.Select(Gen.String[Gen.Char.AlphaNumeric, 0, 9],
        Gen.Enum<DType>(), Gen.Long[0, 5].Array[0, 4], (name, type, extents) => (name, type, new Shape(extents)));

    [Fact]
    public void HeaderPlacesEveryTensorWhereTheReaderFindsIt() => AnyTensor.List[0, 8].Sample(drawn =>
    {
        var tensors = drawn.DistinctBy(tensor => tensor.Name).ToList();
        var (header, offsets, length) = SafetensorsHeader.Make(tensors, SafetensorsHeader.TorchMetadata);
        Assert.Equal(0, header.Length % 8);
        Assert.Equal(header.Length - 8, BinaryPrimitives.ReadInt64LittleEndian(header));
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a.safetensors"], [.. header, .. new byte[length - header.Length]]);
        using var file = DataFile.Open(folder["a.safetensors"]);
        var read = SafetensorsFile.Read(file);
        Assert.Equal("pt", read.Metadata["format"]);
        var byName = read.Tensors.ToDictionary(tensor => tensor.Name);
        Assert.Equal(tensors.Count, byName.Count);
        foreach (var ((name, type, shape), offset) in tensors.Zip(offsets))
        {
            Assert.Equal(shape, byName[name].Shape);
            Assert.Equal(type, byName[name].DType);
            Assert.Equal(offset, byName[name].Offset);
        }
    }, iter: 200);

    [Fact]
    public void WrittenValuesAreReadBack()
    {
        using var folder = new TemporaryFolder();
        float[] values = [1, -2.5f, float.Pi, 0, float.NegativeInfinity, 1e-40f];
        SafetensorsWriter.Write(folder["a.safetensors"],
            [TensorBytes.Of("größe \"1\"", new Shape(2, 3), values), TensorBytes.Of("half", new Shape(2), [3, 1], DType.BF16)]);
        Assert.Equal(["a.safetensors"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
        using var file = DataFile.Open(folder["a.safetensors"]);
        var read = SafetensorsFile.Read(file).Tensors;
        Assert.Equal("größe \"1\"", read[0].Name);
        var back = new float[6];
        read[0].Read(new TileReader(), 0, back);
        Assert.Equal(values, back);
        Assert.Equal(DType.BF16, read[1].DType);
    }

    [Fact]
    public void TwoTensorsOfOneNameAreRefused()
    {
        var twice = new[] { ("a", DType.F32, new Shape(1)), ("a", DType.F32, new Shape(1)) };
        Assert.Contains("'a'", Assert.Throws<RecallException>(() => SafetensorsHeader.Make(twice)).Message);
    }

    [Fact]
    public void FolderThatIsNotThereIsAnErrorWithItsPath()
    {
        string path = "/nowhere/at/all/a.safetensors";
        Assert.StartsWith(path, Assert.Throws<RecallException>(() => SafetensorsWriter.Write(path, [])).Message);
    }
}
