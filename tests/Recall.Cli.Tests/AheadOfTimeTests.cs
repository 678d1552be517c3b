using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;

namespace Recall.Cli.Tests;

/// <summary>The built command begins without compiling itself: eng/ReadyToRun.targets is at work.</summary>
public class AheadOfTimeTests
{
    const int Signature = 0x0052_5452;      // "RTR\0", the head of a ReadyToRun image's native part

    [Theory, InlineData("Recall"), InlineData("Recall.Cli"), InlineData("System.CommandLine"), InlineData("YamlDotNet")]
    public void TheCommandsAssembliesAreCompiled(string assembly)
    {
        // …/bin/Recall.Cli.Tests/release_linux-x64: the command's own folder is beside it, under the same name.
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        Assert.SkipUnless(own.Name.StartsWith("release", StringComparison.Ordinal), "only Release builds are compiled ahead of time");
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture == Architecture.X64, "only on x64 Linux");
        string path = Path.Combine(own.FullName, "..", "..", "Recall.Cli", own.Name, assembly + ".dll");
        Assert.True(IsCompiled(path), $"{path} has no ReadyToRun code: see eng/ReadyToRun.targets (is the shared runtime that belongs to the SDK there?)");
        // The same question of an assembly that never is: the test can fail.
        Assert.False(IsCompiled(typeof(AheadOfTimeTests).Assembly.Location));
    }

    static bool IsCompiled(string path)
    {
        using var reader = new PEReader(File.OpenRead(path));
        var native = reader.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory;
        return native.Size > 0 && reader.GetSectionData(native.RelativeVirtualAddress).GetReader().ReadInt32() == Signature;
    }
}
