using Recall.Tokenization.Unicode;

namespace Recall.Tokenization;

/// <summary>A stretch of a text on its way to the model.</summary>
/// <param name="Text">The text it lies in.</param>
/// <param name="Start">In UTF-16 units.</param>
/// <param name="Length">In UTF-16 units.</param>
/// <param name="AtStart">True where it begins the whole input: Metaspace with <c>prepend_scheme: first</c> asks.</param>
readonly record struct Piece(string Text, int Start, int Length, bool AtStart)
{
    public ReadOnlySpan<char> Span => Text.AsSpan(Start, Length);

    public Piece Slice(int start, int end) => new(Text, Start + start, end - start, AtStart && start == 0);
}

/// <summary>What becomes of the matches of a pattern that splits.</summary>
enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>A pre-tokenizer of tokenizer.json: cuts a piece into smaller ones.</summary>
abstract class PreTokenizer
{
    /// <summary>Appends what the piece becomes.</summary>
    public abstract void Split(Piece piece, List<Piece> into);
}

/// <summary>Split, and everything that is a split by a known pattern: Digits, Punctuation, Whitespace, BertPreTokenizer.</summary>
sealed class PatternSplit(TextPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    [ThreadStatic]
    static List<(int Start, int End)>? _matches;

    public override void Split(Piece piece, List<Piece> into) => Split(piece, pattern, behavior, invert, into);

    /// <summary>Cuts at the matches of a pattern; empty pieces are left out.</summary>
    public static void Split(Piece piece, TextPattern pattern, SplitBehavior behavior, bool invert, List<Piece> into)
    {
        var matches = _matches ??= [];
        matches.Clear();
        pattern.Find(piece.Span, matches);
        if (behavior == SplitBehavior.Isolated)
        {
            SplitIsolated(piece, matches, into);
            return;
        }
        var parts = new List<(int Start, int End, bool Match)>(matches.Count * 2 + 1);
        int at = 0;
        foreach (var (start, end) in matches)
        {
            if (start > at) parts.Add((at, start, invert));
            parts.Add((start, end, !invert));
            at = end;
        }
        if (at < piece.Length) parts.Add((at, piece.Length, invert));
        if (behavior is SplitBehavior.MergedWithPrevious or SplitBehavior.Contiguous) MergeForwards(parts, behavior);
        if (behavior is SplitBehavior.MergedWithNext) MergeBackwards(parts);
        foreach (var (start, end, match) in parts)
            if (end > start && !(match && behavior == SplitBehavior.Removed)) into.Add(piece.Slice(start, end));
    }

    /// <summary>The usual case without a list of parts: matches and what lies between are pieces alike.</summary>
    static void SplitIsolated(Piece piece, List<(int Start, int End)> matches, List<Piece> into)
    {
        int at = 0;
        foreach (var (start, end) in matches)
        {
            if (start > at) into.Add(piece.Slice(at, start));
            if (end > start) into.Add(piece.Slice(start, end));
            at = end;
        }
        if (at < piece.Length) into.Add(piece.Slice(at, piece.Length));
    }

    static void MergeForwards(List<(int Start, int End, bool Match)> parts, SplitBehavior behavior)
    {
        bool previous = false;
        int kept = 0;
        for (int i = 0; i < parts.Count; i++)
        {
            var part = parts[i];
            bool merge = behavior == SplitBehavior.Contiguous ? part.Match == previous : part.Match && !previous;
            if (merge && kept > 0) parts[kept - 1] = parts[kept - 1] with { End = part.End };
            else parts[kept++] = part;
            previous = part.Match;
        }
        parts.RemoveRange(kept, parts.Count - kept);
    }

    static void MergeBackwards(List<(int Start, int End, bool Match)> parts)
    {
        bool previous = false;
        var merged = new List<(int Start, int End, bool Match)>(parts.Count);
        for (int i = parts.Count - 1; i >= 0; i--)
        {
            var part = parts[i];
            if (part.Match && !previous && merged.Count > 0) merged[^1] = merged[^1] with { Start = part.Start };
            else merged.Add(part);
            previous = part.Match;
        }
        merged.Reverse();
        parts.Clear();
        parts.AddRange(merged);
    }
}

/// <summary>ByteLevel: GPT-2's split, and every byte of UTF-8 as one printable character.</summary>
/// <param name="addPrefixSpace">Puts a space before a piece that does not begin with one.</param>
/// <param name="useRegex">Whether GPT-2's pattern splits.</param>
/// <param name="map">False where the model itself maps bytes, which is faster: ByteLevel comes last.</param>
sealed class ByteLevelSplit(bool addPrefixSpace, bool useRegex, bool map) : PreTokenizer
{
    static readonly TextPattern Gpt2 =
        TextPattern.Parse(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", "ByteLevel");

    public override void Split(Piece piece, List<Piece> into)
    {
        if (addPrefixSpace && piece.Span is not [' ', ..]) piece = new Piece(string.Concat(" ", piece.Span), 0, piece.Length + 1,
            piece.AtStart);
        int first = into.Count;
        if (useRegex) PatternSplit.Split(piece, Gpt2, SplitBehavior.Isolated, invert: false, into);
        else into.Add(piece);
        for (int i = first; map && i < into.Count; i++)
        {
            string mapped = ByteAlphabet.Map(into[i].Span);
            into[i] = new Piece(mapped, 0, mapped.Length, into[i].AtStart);
        }
    }
}

/// <summary>Metaspace: blanks become a visible character, which also goes before the text; each word is cut off with it.</summary>
sealed class MetaspaceSplit(char replacement, string scheme, bool split) : PreTokenizer
{
    readonly TextPattern _pattern = TextPattern.Literal(replacement.ToString(), "Metaspace");

    public override void Split(Piece piece, List<Piece> into)
    {
        string text = piece.Span.ToString().Replace(' ', replacement);
        if ((scheme == "always" || (scheme == "first" && piece.AtStart)) && !text.StartsWith(replacement)) text = replacement + text;
        var replaced = new Piece(text, 0, text.Length, piece.AtStart);
        if (split) PatternSplit.Split(replaced, _pattern, SplitBehavior.MergedWithNext, invert: false, into);
        else into.Add(replaced);
    }
}
