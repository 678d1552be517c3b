namespace Recall.Checkpoints.Gguf;

/// <summary>Opens a GGUF file, or the first of a split one, as the checkpoint of transformers that it was made from.</summary>
static class GgufCheckpoint
{
    const int MostParts = 99_999;

    /// <summary>Opens a model.</summary>
    /// <param name="path">What the user named.</param>
    /// <param name="file">The file: the same, or the one of that folder.</param>
    /// <exception cref="RecallException">No GGUF file, a broken one, or a model that Recall does not know.</exception>
    public static Checkpoint Open(string path, string file)
    {
        var header = GgufFile.Read(DataFile.Open(file));
        var family = GgufFamily.Of(header);
        var stored = Parts(header).SelectMany(part => part.Tensors).ToList();
        if (stored.Count == 0) throw new RecallException($"{file}: holds no tensors; it is a vocabulary, not a model");
        var tensors = new GgufTensors(header, family).Name(stored);
        var files = new GgufTokenizer(header).Files();
        return new Checkpoint(path, new GgufConfig(header, family, tensors).Make(), tensors, files);
    }

    /// <summary>The .gguf file of a folder to open: the only one, or the first of a split model; null where there is none.</summary>
    /// <exception cref="RecallException">There are several: which is meant must be said.</exception>
    public static string? FindIn(string folder)
    {
        var files = Directory.EnumerateFiles(folder, "*.gguf").Where(file => PartNumber(file) is null or 1).Order(StringComparer.Ordinal).Take(3).ToList();
        return files.Count switch
        {
            0 => null,
            1 => files[0],
            _ => throw new RecallException($"{folder}: holds several .gguf files; name one of them, such as {files[0]}"),
        };
    }

    static IEnumerable<GgufFile> Parts(GgufFile first)
    {
        long count = first.Metadata.Integer("split.count") ?? 1, number = first.Metadata.Integer("split.no") ?? 0;
        yield return first;
        if (count <= 1) yield break;
        if (number != 0) throw new RecallException($"{first.Path}: is part {number + 1} of a split model; name the first part");
        string ending = $"-00001-of-{count:00000}.gguf";
        if (count > MostParts || !first.Path.EndsWith(ending, StringComparison.Ordinal))
            throw new RecallException($"{first.Path}: is the first of {count} parts, so its name must end in {ending}");
        long total = first.Tensors.Count;
        for (int part = 2; part <= count; part++)
        {
            string path = $"{first.Path[..^ending.Length]}-{part:00000}-of-{count:00000}.gguf";
            var file = GgufFile.Read(DataFile.Open(path));
            if (file.Metadata.Integer("split.no") != part - 1 || file.Metadata.Integer("split.count") != count)
                throw new RecallException($"{path}: says that it is another part of a split model than its name tells");
            total += file.Tensors.Count;
            yield return file;
        }
        if (first.Metadata.Integer("split.tensors.count") is { } expected && expected != total)
            throw new RecallException($"{first.Path}: the {count} parts hold {total} tensors, but 'split.tensors.count' is {expected}");
    }

    // "name-00002-of-00003.gguf" is part 2.
    static int? PartNumber(string path)
    {
        string name = Path.GetFileNameWithoutExtension(path);
        return name.Length > 15 && name[^15] == '-' && name.AsSpan(name.Length - 9, 4) is "-of-" && int.TryParse(name.AsSpan(name.Length - 14, 5), out int number)
            ? number : null;
    }
}
