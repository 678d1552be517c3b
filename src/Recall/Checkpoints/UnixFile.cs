using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Recall.Checkpoints;

/// <summary>What .NET does not tell of a file.</summary>
static unsafe partial class UnixFile
{
    const int CurrentFolder = -100;         // AT_FDCWD
    const uint TypeAndMode = 1;             // STATX_TYPE
    const int ModeOffset = 28;              // stx_mode in struct statx, the same on every architecture
    const int WillNeed = 3;                 // POSIX_FADV_WILLNEED
    const int FileTypeMask = 0xF000, RegularFile = 0x8000;

    /// <summary>True for a regular file or a link to one; false for a pipe, socket or device: opening those can block for ever.</summary>
    public static bool IsRegular(string path)
    {
        if (!OperatingSystem.IsLinux()) return true;
        byte* status = stackalloc byte[256];
        if (Statx(CurrentFolder, path, 0, TypeAndMode, status) != 0) return false;
        return (BinaryPrimitives.ReadUInt16LittleEndian(new ReadOnlySpan<byte>(status + ModeOffset, 2)) & FileTypeMask) == RegularFile;
    }

    /// <summary>Asks the kernel to read a range ahead (posix_fadvise, POSIX_FADV_WILLNEED); only a hint.</summary>
    public static void Prefetch(SafeFileHandle file, long offset, long length)
    {
        if (OperatingSystem.IsLinux()) _ = Advise(file, offset, length, WillNeed);
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise64")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Statx(int folder, string path, int flags, uint mask, byte* status);
}
