using System.Globalization;
using System.Text;

namespace Recall.Checkpoints.Pickle;

/// <summary>
/// A file of torch.save: a zip archive of a pickle (<c>data.pkl</c>) and storages (<c>data/KEY</c>), or the older format of five pickles in a row.
/// The pickle is read by <see cref="PickleReader"/>, which executes nothing.
/// </summary>
static class PickleFile
{
    const long LargestPickle = 64 * 1024 * 1024;
    const int HighestVersion = 10;

    /// <summary>The tensors of the state dict, in the order of the file. Views of one storage (tied weights) are tensors of their own.</summary>
    /// <exception cref="RecallException">Not a file of torch.save, a broken one, or one that holds more than a state dict.</exception>
    public static IReadOnlyList<TensorSource> Read(DataFile file)
    {
        if (file.Length == 0) throw Bad(file, "is empty, not a PyTorch file");
        Span<byte> begin = stackalloc byte[(int)Math.Min(file.Length, 512)];
        file.Read(0, begin);
        if (begin.StartsWith("PK"u8)) return ReadZip(file);
        if (begin is [0x80, ..]) return LegacyPickleFile.Read(file);
        throw Bad(file, begin.StartsWith("version https://git-lfs"u8) ? "is a Git LFS pointer, not the weights; fetch them with: git lfs pull"
            : begin.Length > 262 && begin[257..].StartsWith("ustar"u8) ? "is in the tar format of PyTorch before 0.1.10, which Recall does not read"
            : begin.Length > 8 && begin[8] == (byte)'{' ? "is not a PyTorch file: it looks like safetensors; name it .safetensors"
            : begin.StartsWith("GGUF"u8) ? "is not a PyTorch file: it is GGUF; name it .gguf"
            : "is not a PyTorch file: neither a zip archive nor a pickle of torch.save");
    }

    static List<TensorSource> ReadZip(DataFile file)
    {
        var zip = ZipDirectory.Read(file);
        var pickles = zip.Names.Where(name => name.EndsWith("/data.pkl", StringComparison.Ordinal) && name.IndexOf('/', StringComparison.Ordinal) == name.Length - 9).ToList();
        if (pickles.Count != 1)
            throw Bad(file, pickles.Count == 0 ? "is a zip archive without FOLDER/data.pkl; torch.save did not write it" : "holds several data.pkl: which one counts is not clear");
        string folder = pickles[0][..^8];
        if (zip.Has($"{folder}constants.pkl") || zip.Names.Any(name => name.StartsWith($"{folder}code/", StringComparison.Ordinal)))
            throw Bad(file, "is a TorchScript archive: a program, not a state dict; save model.state_dict() instead");
        bool bigEndian = ReadSmall(file, zip, $"{folder}byteorder") switch
        {
            null or "little" => false,
            "big" => true,
            var other => throw Bad(file, $"has the unknown byte order {Quoted.Of(other)}"),
        };
        string version = ReadSmall(file, zip, $"{folder}version") ?? "3";
        if (!int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number > HighestVersion)
            throw Bad(file, $"has the format version {Quoted.Of(version)}; Recall reads up to {HighestVersion}");

        var pickle = zip.Find(pickles[0]);
        if (pickle.Length > LargestPickle) throw Bad(file, $"has a data.pkl of {pickle.Length} bytes, above the limit of {LargestPickle}");
        object root = new PickleReader(new PickleStream(file, "data.pkl", pickle.Offset, pickle.Offset + pickle.Length)).Read();

        StorageRecord FindStorage(PickleStorage storage)
        {
            string name = $"{folder}data/{storage.Key}";
            return zip.Has(name) ? zip.Find(name) : throw Bad(file, $"has no record of the storage {Quoted.Of(storage.Key)}");
        }
        var tensors = new PickledTensors(file, FindStorage, bigEndian);
        return [.. StateDict.Find(root, file.Path).Select(entry => tensors.Place(entry.Name, entry.Tensor))];
    }

    static string? ReadSmall(DataFile file, ZipDirectory zip, string name)
    {
        if (!zip.Has(name)) return null;
        var entry = zip.Find(name);
        var bytes = new byte[Math.Min(entry.Length, 64)];
        file.Read(entry.Offset, bytes);
        return Encoding.ASCII.GetString(bytes).Trim();
    }

    static RecallException Bad(DataFile file, string what) => new($"{file.Path}: {what}");
}
