using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;

namespace Recall.Tests.Checkpoints.Safetensors;

public class SafetensorsDraftTests
{
    static readonly (string, Shape)[] Tensors = [("a", new Shape(2, 2)), ("b", new Shape(3))];

    [Fact]
    public void TensorsThatComeInAnyOrderGiveTheFileOfTheWriter()
    {
        using var folder = new TemporaryFolder();
        using (var draft = new SafetensorsDraft(folder["deep", "draft.safetensors"], Tensors))
        {
            draft.Write("b", [5, 6, 7]);
            Assert.False(File.Exists(folder["deep", "draft.safetensors"]));
            draft.Write("a", [1, 2, 3, 4]);
            draft.Finish();
        }
        SafetensorsWriter.Write(folder["whole.safetensors"],
            [TensorBytes.Of("a", new Shape(2, 2), [1, 2, 3, 4]), TensorBytes.Of("b", new Shape(3), [5, 6, 7])]);
        Assert.Equal(File.ReadAllBytes(folder["whole.safetensors"]), File.ReadAllBytes(folder["deep", "draft.safetensors"]));
    }

    [Fact]
    public void WhatIsNotFinishedIsNotThere()
    {
        using var folder = new TemporaryFolder();
        using (var draft = new SafetensorsDraft(folder["draft.safetensors"], Tensors))
        {
            draft.Write("a", [1, 2, 3, 4]);
            Assert.Throws<InvalidOperationException>(draft.Finish);
            Assert.Throws<ArgumentException>(() => draft.Write("a", [1, 2, 3, 4]));
        }
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void APlaceThatCannotBeWrittenIsNamed()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        var error = Assert.Throws<RecallException>(() => new SafetensorsDraft(folder["file", "draft.safetensors"], Tensors));
        Assert.StartsWith(folder["file", "draft.safetensors"] + ": cannot be written: ", error.Message, StringComparison.Ordinal);
    }
}
