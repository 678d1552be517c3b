using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>
/// Tensors whose values lie in a file: the operating system fetches what is used and drops what is not. The file has no name any more once
/// it is mapped, and goes with the tensor, however the program ends.
/// </summary>
static class MappedTensor
{
    /// <summary>A copy of a float32 tensor, in a temporary file; in no dispose scope.</summary>
    /// <exception cref="RecallException">No room for temporary files.</exception>
    public static Tensor Of(Tensor values)
    {
        string folder = Path.GetTempPath();
        try
        {
            folder = Directory.CreateTempSubdirectory("recall-states-").FullName;
            string path = Path.Combine(folder, "states");
            // All is written at once: a page that found no room on the disk later would end the process.
            using (var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.None))
            {
                using var flat = values.contiguous().view(-1);
                for (long first = 0, part = 64 << 20; first < flat.numel(); first += part)
                {
                    using var tile = flat.narrow(0, first, Math.Min(part, flat.numel() - first));
                    file.Write(tile.bytes);
                }
            }
            using var mapped = from_file(path, shared: true, size: values.numel(), dtype: ScalarType.Float32);
            return mapped.view([.. values.shape]).DetachFromDisposeScope();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RecallException($"{folder}: hidden states cannot be put aside: {e.Message}; set TMPDIR to a folder with room, or "
                + $"take fewer texts", e);
        }
        finally
        {
            if (folder != Path.GetTempPath()) Directory.Delete(folder, recursive: true);
        }
    }
}
