using System.Runtime.Intrinsics.X86;
using Recall.Configuration;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>The type of forward passes on this machine.</summary>
static class ComputeTypes
{
    /// <summary>
    /// The torch type of a choice. <see cref="ComputeType.Auto"/> is bfloat16 where the CPU multiplies it in hardware, float32 elsewhere:
    /// without
    /// AVX512-BF16 or AMX a bfloat16 product takes about three times as long as one in float32.
    /// </summary>
    public static ScalarType Of(ComputeType compute) => compute switch
    {
        ComputeType.Float32 => ScalarType.Float32,
        ComputeType.BFloat16 => ScalarType.BFloat16,
        _ => MultipliesBFloat16 ? ScalarType.BFloat16 : ScalarType.Float32,
    };

    // CPUID leaf 7: sub-leaf 0, EDX bit 22 is AMX-BF16; sub-leaf 1, EAX bit 5 is AVX512-BF16 (Intel SDM, volume 2A).
    static bool MultipliesBFloat16
    {
        get
        {
            if (!X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < 7) return false;
            var (subLeaves, _, _, edx) = X86Base.CpuId(7, 0);
            return (edx >> 22 & 1) == 1 || (subLeaves >= 1 && (X86Base.CpuId(7, 1).Eax >> 5 & 1) == 1);
        }
    }
}
