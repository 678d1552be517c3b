using System.Collections.Concurrent;
using Recall.Streaming;

namespace Recall.Tests.Streaming;

public sealed class ShardFileTests : IDisposable
{
    readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void TilesOfManyThreadsAllComeToTheirPlaceAndAreToldOnce()
    {
        const int Count = 3000, Most = 700;
        var random = new Random(4);
        var tiles = new List<(long Offset, int Length)>();
        long end = 0;
        for (int i = 0; i < Count; i++)
        {
            tiles.Add((end, random.Next(Most)));
            end += tiles[i].Length;
        }
        byte[] wanted = new byte[end];
        random.NextBytes(wanted);
        var told = new ConcurrentBag<int>();
        using (var file = new ShardFile(_path, File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite)))
        {
            Parallel.For(0, Count, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
            {
                byte[] buffer = file.Rent(tiles[i].Length);
                wanted.AsSpan((int)tiles[i].Offset, tiles[i].Length).CopyTo(buffer);
                file.Write(tiles[i].Offset, buffer, tiles[i].Length, () => told.Add(i));
            });
            Assert.Equal(Enumerable.Range(0, Count), told.Order());
            byte[] back = new byte[end];
            file.Read(0, back);
            Assert.Equal(wanted, back);
            Assert.Contains("has become shorter", Assert.Throws<RecallException>(() => file.Read(end - 1, new byte[2])).Message, StringComparison.Ordinal);
        }
        Assert.Equal(wanted, File.ReadAllBytes(_path));
    }

    [Fact]
    public void WhatCannotBeWrittenIsSaid()
    {
        using var full = new ShardFile("model.safetensors", File.OpenHandle("/dev/full", FileMode.Open, FileAccess.Write));
        var error = Assert.Throws<RecallException>(() => full.Write(0, full.Rent(5), 5, () => Assert.Fail("it was not written")));
        Assert.StartsWith("model.safetensors: cannot be written: ", error.Message, StringComparison.Ordinal);
    }
}
