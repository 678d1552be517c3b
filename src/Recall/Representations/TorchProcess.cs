using System.Runtime.InteropServices;

namespace Recall.Representations;

/// <summary>
/// What libtorch needs of its process to be fast. Memory: its tensors come from malloc, and glibc's gives a tensor's pages back to the system
/// when it is freed, so that the next one begins with a page fault every 4 KiB; in the forward pass of a small model in bfloat16 that took a
/// fifth of the time. Threads: OpenMP's spin while they wait for one another; where another program has one of the cores, that took five times
/// as long as sleeping, and alone it gains nothing.
/// </summary>
static partial class TorchProcess
{
    const int TrimThreshold = -1, MmapThreshold = -3;                   // malloc.h
    const int LargestReused = 32 << 20, MostKept = 256 << 20;           // glibc takes no more than 32 MiB

    static readonly Lazy<bool> Prepared = new(() => OperatingSystem.IsLinux() && Set());

    /// <summary>
    /// To be called before libtorch is loaded. From then on this process keeps up to 256 MiB of what was freed, in pieces of up to 32 MiB, and
    /// takes new tensors from there, and threads that wait sleep, unless OMP_WAIT_POLICY says otherwise. Where malloc is another one, or
    /// libtorch is loaded already, nothing changes.
    /// </summary>
    public static void Prepare() => _ = Prepared.Value;

    static bool Set()
    {
        try
        {
            return SetEnv("OMP_WAIT_POLICY", "passive", 0) == 0 & Mallopt(MmapThreshold, LargestReused) != 0 & Mallopt(TrimThreshold, MostKept) != 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    // .NET's own variables are not those that native code reads.
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int Mallopt(int parameter, int value);
}
