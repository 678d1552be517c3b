using Recall.Cli.Commands;

namespace Recall.Cli.Tests.Commands;

public class ShardSizeTests
{
    [Theory]
    [InlineData("5B", 5_000_000_000)]
    [InlineData("500m", 500_000_000)]
    [InlineData("2GB", 2_000_000_000)]
    [InlineData("12K", 12_000)]
    [InlineData("4096", 4096)]
    [InlineData("0", 0)]
    [InlineData("-1B", 0)]
    public void SizesAreThoseOfMergekit(string text, long bytes) => Assert.Equal(bytes, MergeFlags.ParseSize(text));

    [Theory]
    [InlineData("1.5B")]
    [InlineData("")]
    [InlineData("B")]
    [InlineData("many")]
    [InlineData("99999999999999999999")]
    [InlineData("9999999999999B")]
    public void OtherTextsAreNone(string text) => Assert.Null(MergeFlags.ParseSize(text));
}
