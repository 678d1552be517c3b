using CsCheck;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Tests.Checkpoints;

/// <summary>Rows picked from several matrices while they are read are the rows that were asked for, in pieces of any size.</summary>
public class GatheredTensorTests
{
    const int Sources = 3;

    static readonly Gen<(int Kind, int Row, int Count)> Piece = Gen.Select(Gen.Int[-2, Sources - 1], Gen.Int[0, 30], Gen.Int[1, 9]);

    [Fact]
    public void AnyMapReadInAnyPieces() => Gen.Select(Piece.List[1, 12], Gen.Int[1, 700], Gen.Int[0, 5], Gen.Int[1, 900]).Sample(drawn =>
    {
        var (pieces, width, padding, step) = drawn;
        using var folder = new TemporaryFolder();
        var values = new float[Sources][];
        for (int i = 0; i < Sources; i++) values[i] = [.. Enumerable.Range(0, 40 * width).Select(k => (float)((k * 31 + i * 7) % 251) / 8)];
        SafetensorsWriter.Write(folder["a.safetensors"],
            values.Select((all, i) => TensorBytes.Of($"m{i}", new Shape(40, width), all, DType.BF16)));
        using var file = DataFile.Open(folder["a.safetensors"]);
        var tensors = SafetensorsFile.Read(file).Tensors;

        var builder = new RowMapBuilder();
        var expected = new List<float[]>();
        float[] Row(int source, int row) => values[source][(row * width)..((row + 1) * width)];
        foreach (var (kind, row, count) in pieces)
        {
            for (int i = 0; i < count; i++)
            {
                switch (kind)
                {
                    case >= 0:
                        builder.Add(kind, row + i);
                        expected.Add(Row(kind, row + i));
                        break;
                    case RowMap.Zero:
                        builder.Add(RowMap.Zero, 0);
                        expected.Add(new float[width]);
                        break;
                    default:
                        builder.AddMean([new(0, row), new(2, i)]);
                        expected.Add([.. Row(0, row).Zip(Row(2, i), (a, b) => (a + b) / 2)]);
                        break;
                }
            }
        }
        int real = expected.Count;
        builder.Add(RowMap.MeanOfAll, 0, padding);
        float[] mean = [.. Enumerable.Range(0, width).Select(j => (float)(expected.Sum(row => (double)row[j]) / real))];
        for (int i = 0; i < padding; i++) expected.Add(mean);

        var map = builder.Build();
        var gathered = new GatheredTensor(tensors[0], [.. tensors], map);
        Assert.Equal(new Shape(expected.Count, width), gathered.Shape);
        var all = new float[gathered.Shape.Elements];
        var reader = new TileReader();
        for (int start = 0; start < all.Length; start += step)
            gathered.Read(reader, start, all.AsSpan(start, Math.Min(step, all.Length - start)));
        Assert.Equal(expected.SelectMany(row => row), all);
    }, iter: 60);

    [Fact]
    public void RowsThatFollowOneAnotherAreOneRun()
    {
        var builder = new RowMapBuilder();
        for (int i = 0; i < 1000; i++) builder.Add(1, i);
        builder.Add(RowMap.Zero, 0);
        builder.Add(RowMap.Zero, 0);
        builder.Add(1, 1000);
        var map = builder.Build();
        Assert.Equal([new RowRun(0, 1000, 1, 0), new RowRun(1000, 2, RowMap.Zero, 0), new RowRun(1002, 1, 1, 1000)], map.Runs);
        Assert.Equal([(1, 1000)], map.LastRows().Select(last => (last.Key, last.Value)));
        Assert.False(map.IsWhole(1, 1003));
    }

    [Fact]
    public void AVectorHasOneElementARow()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["a.safetensors"], [TensorBytes.Of("bias", new Shape(4), [1, 2, 3, 4])]);
        using var file = DataFile.Open(folder["a.safetensors"]);
        var builder = new RowMapBuilder();
        builder.Add(0, 2, 2);
        builder.Add(0, 0);
        builder.Add(RowMap.MeanOfAll, 0);
        var gathered = new GatheredTensor(SafetensorsFile.Read(file).Tensors[0], [.. SafetensorsFile.Read(file).Tensors], builder.Build());
        var all = new float[4];
        gathered.Read(new TileReader(), 0, all);
        Assert.Equal([3, 4, 1, 8f / 3], all);
    }
}
