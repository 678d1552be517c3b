using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Recall.Benchmarks;

/// <summary>The kernel's cache of files.</summary>
static partial class PageCache
{
    const int DontNeed = 4;     // POSIX_FADV_DONTNEED

    /// <summary>Writes out what waits to be written, so that one command does not pay for the one before it.</summary>
    public static void Settle() => Sync();

    /// <summary>Drops a file's pages, so that the next reader goes to the disk. Clean pages only: call <see cref="Settle"/> before.</summary>
    public static void Drop(string path)
    {
        using var file = File.OpenHandle(path);
        if (Advise(file, 0, 0, DontNeed) != 0) throw new RecallException($"{path}: its pages cannot be dropped");
    }

    /// <summary>Reads a file once, so that its pages are there.</summary>
    public static void Warm(string path)
    {
        using var file = File.OpenHandle(path);
        var buffer = new byte[8 << 20];
        for (long at = 0; RandomAccess.Read(file, buffer, at) is > 0 and var read;) at += read;
    }

    [LibraryImport("libc", EntryPoint = "sync")]
    private static partial void Sync();

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);
}
