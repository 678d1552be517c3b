using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Tests.Numerics;

/// <summary>
/// The same bytes on every vector width: all tests with the trait <c>kernel</c> run again in processes whose instruction sets are switched off,
/// and the hashes of what kernels write, kept in a golden file, must hold in each of them.
/// </summary>
public class KernelWidthTests
{
    const string AskedWidth = "RECALL_TEST_VECTOR_BITS";
    const int Elements = 100_003;   // no multiple of any vector

    static int Width => Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0;

    [Theory]
    [InlineData(256, "DOTNET_EnableAVX512")]
    [InlineData(128, "DOTNET_EnableAVX512", "DOTNET_EnableAVX2")]
    [InlineData(0, "DOTNET_EnableHWIntrinsic")]
    public async Task KernelsPassWithNarrowerVectors(int bits, params string[] switchedOff)
    {
        Assert.SkipWhen(Width <= bits, $"this processor's vectors have {Width} bits anyway");
        var start = new ProcessStartInfo("dotnet")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            ArgumentList = { "exec", typeof(KernelWidthTests).Assembly.Location, "--filter-trait", "kernel=true", "--minimum-expected-tests", "20" },
            Environment = { [AskedWidth] = bits.ToString(), ["RECALL_UPDATE_GOLDEN"] = null, ["TESTINGPLATFORM_TELEMETRY_OPTOUT"] = "1" },
        };
        // Set by `dotnet test` for this process: the child is to report to nobody.
        foreach (string key in start.Environment.Keys.Where(key => key.StartsWith("TESTINGPLATFORM_DOTNETTEST", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(key);
        foreach (string variable in switchedOff) start.Environment[variable] = "0";
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"exit {process.ExitCode}\n{output}\n{await errors}");
        Assert.Contains("Passed!", output);
    }

    [Fact, Trait("kernel", "true")]
    public void WhatKernelsWriteIsTheSameOnEveryMachine()
    {
        // In a child of the test above the switches must have worked, or it would prove nothing.
        if (Environment.GetEnvironmentVariable(AskedWidth) is { } asked) Assert.Equal(asked, Width.ToString());
        var text = new StringBuilder("# SHA-256 of what the kernels write, on any vector width\n");
        var values = Samples.Floats(Elements);
        foreach (var type in Enum.GetValues<DType>())
        {
            var bytes = new byte[Elements * type.Size()];
            PlainEncoding.Of(type).Encode(values, bytes);
            var back = new float[Elements];
            PlainEncoding.Of(type).Decode(bytes, back);
            text.Append($"encode {type} {Hash(bytes)}\ndecode {type} {Hash(MemoryMarshal.AsBytes(back.AsSpan()))}\n");
        }
        var other = Samples.Floats(2 * Elements).AsSpan(Elements);
        var sum = values.ToArray();
        Elementwise.Scale(values, 0.3f, sum);
        Elementwise.AddScaled(other, -1.7f, sum);
        Elementwise.AddScaledDifference(values, other, 0.1f, sum);
        text.Append($"elementwise {Hash(MemoryMarshal.AsBytes(Samples.Bits(sum).AsSpan()))}\n");
        float[] finite = [.. values.Select(value => float.IsFinite(value) ? value : 1f)];
        text.Append($"dot {Sums.Dot(finite, finite):R}\nmagnitudes {Sums.Magnitudes(finite):R}\n");
        float[] second = [.. other[..Elements].ToArray().Select(value => float.IsFinite(value) ? value / 2 : 1f)], small = [.. finite.Select(value => value % 8)];
        TaskVectors.Elect([finite, second, sum], [0, 1], [0.5f, 1], [0.25f, 0.75f], [0.3f, 0.7f], small, sum);
        TaskVectors.AddQuotient(finite, small, second, 0.7f, sum);
        Elementwise.MixNear(sum, finite, 0.4f, small);
        ActiveElements.Add(small, [finite, second], [1, 0], 0.5f, [1.5f, 0.75f], sum);
        Sums.Variances([finite, second, small], [0, 1, 2], small);
        Elementwise.AddScaled(sum, 0.25f, small);
        text.Append($"task vectors {Hash(MemoryMarshal.AsBytes(Samples.Bits(small).AsSpan()))}\n");
        float[] row = [.. finite.Select(value => value % 8)], otherRow = [.. second.Select(value => value % 8)];
        Voter[] voters = [new(0.5f, 0.3f, new(Magnitudes.Key(0.01f), int.MaxValue)), new(0.7f, 0.4f, KeptKeys.All), new(-1, 1, new(1, Magnitudes.Key(2)))];
        KeptVectors.AddElected<float>(small, finite, second, sum.ToArray(), [], voters, true, 0.8f, sum);
        KeptVectors.AddScaled<float>(finite, 0.3f, voters[0].Kept, second, 0.4f, voters[2].Kept, small, sum);
        var pair = new VectorPair<float>(row, otherRow, (float[])[.. second.Select(value => value % 3)]);
        text.Append($"squares of a pair {pair.Squares(voters[0].Kept)}\n");
        pair.AddElected(voters[0].Kept, 0.25f, 0.5f, 1e-6f, small);
        Elementwise.AddScaled(sum, 0.25f, small);
        text.Append($"kept parts {Hash(MemoryMarshal.AsBytes(Samples.Bits(small).AsSpan()))}\n");
        text.Append($"divergence {Softmax.Divergence<float>(row, otherRow):R} {Softmax.Divergence<float>(row.AsSpan(0, 500), otherRow.AsSpan(0, 500)):R}\n");
        var attended = new float[90 * 4 * 34];
        CausalAttention.Compute<float>(new AttentionSizes(1, 90, 4, 2, 34), row.AsSpan(0, attended.Length), row.AsSpan(20_000, attended.Length / 2),
            row.AsSpan(50_000, attended.Length / 2), attended, 0.02f, 71, 2);
        BlockRows.RmsNorm(attended.AsSpan(0, 573), attended.AsSpan(600, 573), 1e-5);
        BlockRows.SiluTimes(attended.AsSpan(0, 573), attended.AsSpan(1200, 573));
        text.Append($"attention, norm, silu {Hash(MemoryMarshal.AsBytes(attended.AsSpan()))}\n");
        float[] near = [.. row.Zip(otherRow, (one, another) => one + another / 64)];
        text.Append($"divergence of near rows {Softmax.Divergence<float>(row, near):R} ");
        text.Append($"{Softmax.Divergence<float>(row.AsSpan(0, 500), near.AsSpan(0, 500)):R}\n");
        var kept = new ulong[(Elements + 63) / 64];
        new CounterRandom(1, "tensor", 2).Keep(3, 0.4, kept);
        text.Append($"random {Hash(MemoryMarshal.AsBytes(kept.AsSpan()))}\n");
        var (all, some) = Masked.Magnitudes<float>(row, otherRow, kept);
        Masked.ScaledDifference<float>(row, otherRow, kept, 0.3f, sum);
        Masked.AddScaled(otherRow, new Ballot<float, KeptBits<float>>(near, -0.7f, 1, new(kept)), default, default, default, 1, toBase: false, sum);
        TaskVectors.AddElected<float>(otherRow, [sum, row, near], [0, 2, 1], [0.5f, 1, 0.25f], 0.7f, small);
        text.Append($"masked {all:R} {some:R} {Hash(MemoryMarshal.AsBytes(small.AsSpan()))}\n");
        new MagPruneMask(new CounterRandom(1, "tensor", 2), 0.4, 0.2, 577).Keep<float>(577, row.AsSpan(0, 577 * 100), otherRow.AsSpan(0, 577 * 100), kept.AsSpan(0, (577 * 100 + 63) / 64));
        text.Append($"magprune {Hash(MemoryMarshal.AsBytes(kept.AsSpan(0, 577 * 100 / 64)))}\n");
        GoldenText.Match("kernels.txt", text.ToString());
    }

    static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes))[..32];
}
