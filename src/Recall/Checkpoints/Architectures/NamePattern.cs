namespace Recall.Checkpoints.Architectures;

/// <summary>Names of tensors in which <c>*</c> stands for a number: <c>mlp.experts.*.up_proj.weight</c>.</summary>
static class NamePattern
{
    /// <summary>Whether the name is one that the pattern stands for.</summary>
    public static bool Fits(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        for (int star = pattern.IndexOf('*'); star >= 0; star = pattern.IndexOf('*'))
        {
            if (!name.StartsWith(pattern[..star], StringComparison.Ordinal)) return false;
            name = name[star..];
            int digits = Digits(name);
            if (digits == 0) return false;
            name = name[digits..];
            pattern = pattern[(star + 1)..];
        }
        return name.SequenceEqual(pattern);
    }

    /// <summary>The name with <c>*</c> for every number that is a part by itself.</summary>
    public static string Of(string name) =>
        string.Join('.', name.Split('.').Select(part => part.Length > 0 && Digits(part) == part.Length ? "*" : part));

    static int Digits(ReadOnlySpan<char> text)
    {
        int count = 0;
        while (count < text.Length && char.IsAsciiDigit(text[count])) count++;
        return count;
    }
}
