namespace Recall.Cli.Terminal;

/// <summary>A number as the length of a bar, in eighths of a column.</summary>
static class Bar
{
    const string Eighths = "▏▎▍▌▋▊▉";

    /// <summary>A bar of <paramref name="width"/> columns where the value is as large as the largest, padded to that width.</summary>
    public static string Of(double value, double largest, int width)
    {
        int eighths = largest > 0 ? (int)Math.Round(Math.Clamp(value / largest, 0, 1) * width * 8) : 0;
        string bar = new('█', eighths / 8);
        if (eighths % 8 > 0) bar += Eighths[eighths % 8 - 1];
        return bar.PadRight(width);
    }
}
