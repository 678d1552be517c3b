using System.Diagnostics;

namespace Recall.Benchmarks;

/// <summary>
/// What a merge cannot do without: its files are read, in windows of 512 KiB and on as many threads as it would take, and as many bytes as one of them has
/// are written. Nothing is computed, so that no merge that reads as often is faster.
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
        using (var written = File.OpenHandle(output, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.None, length))
        {
            var writing = new Lock();
            for (int read = 1; read <= reads; read++)
            {
                long next = -Window;
                bool last = read == reads;
                Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ =>
                {
                    byte[][] buffers = [.. files.Select(_ => GC.AllocateUninitializedArray<byte>(Window))];
                    for (long at; (at = Interlocked.Add(ref next, Window)) < length;)
                    {
                        int count = (int)Math.Min(Window, length - at);
                        for (int i = 0; i < files.Length; i++) Read(files[i], buffers[i].AsSpan(0, count), at);
                        if (!last) continue;
                        lock (writing) RandomAccess.Write(written, buffers[0].AsSpan(0, count), at);
                    }
                });
            }
        }
        foreach (var file in files) file.Dispose();
        Console.WriteLine(FormattableString.Invariant($"{files.Length * length * reads / 1e9:F1} GB read, {length / 1e9:F1} GB written in {clock.Elapsed.TotalSeconds:F2} s"));
    }

    static void Read(Microsoft.Win32.SafeHandles.SafeFileHandle file, Span<byte> bytes, long at)
    {
        for (int done = 0, count; done < bytes.Length; done += count)
        {
            count = RandomAccess.Read(file, bytes[done..], at + done);
            if (count == 0) throw new RecallException("a file has become shorter");
        }
    }
}
