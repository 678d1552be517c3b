using System.Globalization;
using System.Text;

namespace Recall.Cli.Terminal;

/// <summary>Numbers and foreign text as people read them.</summary>
static class Shown
{
    /// <summary>Bytes in decimal units, as disks are sold: <c>269.1 MB</c>.</summary>
    public static string Bytes(double bytes)
    {
        string[] units = ["B", "kB", "MB", "GB", "TB", "PB"];
        int unit = 0;
        for (; bytes >= 999.95 && unit < units.Length - 1; unit++) bytes /= 1000;
        return unit == 0 ? $"{bytes:0} B" : $"{bytes:0.0} {units[unit]}";
    }

    /// <summary>A count with its thousands apart: <c>134,515,008</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count in short: <c>134.5 M</c>.</summary>
    public static string Short(long count) => count switch
    {
        < 10_000 => Count(count),
        < 999_950 => $"{count / 1e3:0.0} k",
        < 999_950_000 => $"{count / 1e6:0.0} M",
        _ => $"{count / 1e9:0.00} B",
    };

    /// <summary>A time: <c>&lt; 0.1 s</c>, <c>0.4 s</c>, <c>12 s</c>, <c>3 min 05 s</c>, <c>2 h 10 min</c>.</summary>
    public static string Duration(TimeSpan time) => time.TotalSeconds switch
    {
        < 0.05 => "< 0.1 s",
        < 9.95 => $"{time.TotalSeconds:0.0} s",
        < 59.5 => $"{time.TotalSeconds:0} s",
        < 3570 => $"{(int)Math.Round(time.TotalSeconds) / 60} min {(int)Math.Round(time.TotalSeconds) % 60:00} s",
        _ => $"{(int)Math.Round(time.TotalMinutes) / 60} h {(int)Math.Round(time.TotalMinutes) % 60:00} min",
    };

    /// <summary>A measured number to four digits: <c>0.01234</c>, <c>1.234e-7</c>; <c>–</c> where there is none.</summary>
    public static string Number(double? value) => value switch
    {
        null => "–",
        0 => "0",
        { } number => number.ToString("G4", CultureInfo.InvariantCulture).Replace("E-0", "e-").Replace('E', 'e'),
    };

    /// <summary>The last parts of models' paths (the adapter's, where there is one), if they differ; else the whole names.</summary>
    public static IReadOnlyList<string> Models(IReadOnlyList<string> names)
    {
        var shortened = names.Select(name => name[(name.LastIndexOf('+') + 1)..])
            .Select(path => Path.GetFileName(Path.TrimEndingDirectorySeparator(path))).ToList();
        return shortened.TrueForAll(name => name.Length > 0) && shortened.Distinct().Count() == shortened.Count ? shortened : names;
    }

    /// <summary>A text out of a file, safe to print: control characters escaped, so that it cannot steer the terminal.</summary>
    public static string Text(string text)
    {
        var shown = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Format) shown.Append($"\\u{rune.Value:x4}");
            else shown.Append(rune);
        }
        return shown.ToString();
    }
}
