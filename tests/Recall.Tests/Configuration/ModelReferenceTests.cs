using Recall.Configuration;

namespace Recall.Tests.Configuration;

public class ModelReferenceTests
{
    [Theory]
    [InlineData("m/a", "m/a", null, null, null)]
    [InlineData("m/a@v1", "m/a", "v1", null, null)]
    [InlineData("m/a+l/x", "m/a", null, "l/x", null)]
    [InlineData("m/a@v1+l/x@v2", "m/a", "v1", "l/x", "v2")]
    [InlineData(" m/a + l/x ", "m/a", null, "l/x", null)]
    public void TextFormsAreModelRevisionAdapterRevision(string text, string model, string? revision, string? lora, string? loraRevision)
    {
        var reference = ModelReference.Parse(text);
        Assert.Equal((model, revision, lora, loraRevision), (reference.Model.Path, reference.Model.Revision, reference.Lora?.Path, reference.Lora?.Revision));
    }

    [Fact]
    public void WhatIsOnDiskIsMeantAsAWhole()
    {
        using var folder = new TemporaryFolder();
        string path = folder["a+b@c"];
        Directory.CreateDirectory(path);
        Assert.Equal(new ModelReference(new ModelPath(path)), ModelReference.Parse(path));
    }

    [Fact]
    public void ReferencesAreEqualWhenTheyMeanTheSame()
    {
        Assert.Equal(ModelReference.Parse("m/a"), ModelReference.Parse("./m/a/"));
        Assert.Equal(ModelReference.Parse("m/a").GetHashCode(), ModelReference.Parse("./m/a/").GetHashCode());
        Assert.NotEqual(ModelReference.Parse("m/a"), ModelReference.Parse("m/a@v1"));
        Assert.NotEqual(ModelReference.Parse("m/a"), ModelReference.Parse("m/a+l/x"));
    }
}
