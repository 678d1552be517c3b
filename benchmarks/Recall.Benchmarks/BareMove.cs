using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using Recall.Streaming;

namespace Recall.Benchmarks;

/// <summary>
/// What a merge cannot do without: its files are read, in windows of 512 KiB and on as many threads as it would take, and as many bytes as one of them has
/// are written, in the way of a merge. Nothing is computed.
/// </summary>
static class BareMove
{
    const int Window = 512 << 10;

    public static void Run(Arguments arguments)
    {
        string output = arguments.Positional(0, "OUT");
        var inputs = arguments.All("--files") ?? throw new ConfigurationException("--files is missing; see help");
        int reads = arguments.Number("--reads", 1), threads = arguments.Number("--threads", Environment.ProcessorCount);
        arguments.Finish();
        var clock = Stopwatch.StartNew();
        var files = inputs.Select(path => File.OpenHandle(path)).ToArray();
        long length = files.Min(RandomAccess.GetLength);
        var handle = File.OpenHandle(output, FileMode.Create, FileAccess.ReadWrite, FileShare.None, FileOptions.None, length);
        RandomAccess.SetLength(handle, length);
        using (var written = new ShardFile(output, handle))
        {
            for (int read = 1; read <= reads; read++)
            {
                long next = -Window;
                bool last = read == reads;
                Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ =>
                {
                    byte[] buffer = GC.AllocateUninitializedArray<byte>(Window);
                    for (long at; (at = Interlocked.Add(ref next, Window)) < length;)
                    {
                        int count = (int)Math.Min(Window, length - at);
                        foreach (var file in files.Skip(1)) Read(file, buffer.AsSpan(0, count), at);
                        byte[] tile = last ? written.Rent(Window) : buffer;
                        Read(files[0], tile.AsSpan(0, count), at);
                        if (last) written.Write(at, tile, count, () => { });
                    }
                });
            }
        }
        foreach (var file in files) file.Dispose();
        Console.WriteLine(FormattableString.Invariant($"{files.Length * length * reads / 1e9:F1} GB read, {length / 1e9:F1} GB written in {clock.Elapsed.TotalSeconds:F2} s"));
    }

    static void Read(SafeFileHandle file, Span<byte> bytes, long at)
    {
        for (int done = 0, count; done < bytes.Length; done += count)
        {
            count = RandomAccess.Read(file, bytes[done..], at + done);
            if (count == 0) throw new RecallException("a file has become shorter");
        }
    }
}
