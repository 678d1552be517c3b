using Recall.Cli.Terminal;

namespace Recall.Cli.Tests.Terminal;

public class ShownTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.0 kB")]
    [InlineData(269_060_552, "269.1 MB")]
    [InlineData(999_960, "1.0 MB")]
    [InlineData(5e18, "5000.0 PB")]
    public void BytesHaveDecimalUnits(double bytes, string shown) => Assert.Equal(shown, Shown.Bytes(bytes));

    [Theory]
    [InlineData(0.44, "0.4 s")]
    [InlineData(59.6, "1 min 00 s")]
    [InlineData(185, "3 min 05 s")]
    [InlineData(3599, "1 h 00 min")]
    [InlineData(7800, "2 h 10 min")]
    public void TimesAreShort(double seconds, string shown) => Assert.Equal(shown, Shown.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(0.0, "0")]
    [InlineData(0.0123456, "0.01235")]
    [InlineData(1.234e-7, "1.234e-7")]
    [InlineData(1.5e-12, "1.5e-12")]
    [InlineData(null, "–")]
    public void NumbersHaveFourDigits(double? number, string shown) => Assert.Equal(shown, Shown.Number(number));

    [Theory]
    [InlineData(9_999, "9,999")]
    [InlineData(134_515_008, "134.5 M")]
    [InlineData(1_235_814_400, "1.24 B")]
    public void CountsAreShort(long count, string shown) => Assert.Equal(shown, Shown.Short(count));
}
