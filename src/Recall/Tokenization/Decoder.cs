using System.Globalization;
using System.Text;
using Recall.Tokenization.Unicode;

namespace Recall.Tokenization;

/// <summary>A decoder of tokenizer.json: tokens in, the texts to be joined out.</summary>
delegate List<string> Decoder(List<string> tokens);

/// <summary>The decoders that tokenizer.json may name.</summary>
static class Decoders
{
    /// <summary>The decoder of a section; without one, tokens are joined by blanks.</summary>
    public static Decoder Read(JsonPart? part)
    {
        if (part is not { } section) return tokens => [string.Join(' ', tokens)];
        switch (section.Type)
        {
            case "Sequence":
                Decoder[] steps = [.. section.Get("decoders").Items.Select(item => Read(item))];
                return tokens => steps.Aggregate(tokens, (current, step) => step(current));
            case "ByteLevel": return ByteLevel;
            case "ByteFallback": return ByteFallback;
            case "Fuse": return tokens => [string.Concat(tokens)];
            case "Replace":
                var pattern = TextPattern.Read(section.Get("pattern"));
                string content = section.Get("content").Text;
                return tokens => tokens.ConvertAll(token => pattern.Replace(token, content));
            case "Strip": return Strip(section);
            case "Metaspace":
                char replacement = PreTokenizers.Replacement(section);
                bool prepended = PreTokenizers.Scheme(section) != "never";
                return tokens => [.. tokens.Select((token, i) => (i == 0 && prepended
                    ? token.Replace($"{replacement}", "", StringComparison.Ordinal) : token).Replace(replacement, ' '))];
            case "BPEDecoder":
                string suffix = section.FindText("suffix") ?? "</w>";
                if (suffix.Length == 0) throw section.Error("'suffix' is empty");
                return tokens => [.. tokens.Select((token, i) => token.Replace(suffix, i == tokens.Count - 1 ? ""
                    : " ", StringComparison.Ordinal))];
            case "WordPiece":
                string prefix = section.FindText("prefix") ?? "##";
                bool cleanup = section.FindTruth("cleanup", true);
                return tokens => [.. tokens.Select((token, i) => WordPiece(token, i, prefix, cleanup))];
            default:
                throw section.Unknown("decoder",
                "ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, BPEDecoder, WordPiece, Sequence");
        }
    }

    static List<string> ByteLevel(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (string token in tokens) ByteAlphabet.Unmap(token, bytes);
        return [Encoding.UTF8.GetString([.. bytes])];
    }

    /// <summary>Runs of byte tokens become their text; one U+FFFD for each byte of a run that is no UTF-8.</summary>
    static List<string> ByteFallback(List<string> tokens)
    {
        var texts = new List<string>();
        var run = new List<byte>();
        foreach (string token in tokens)
        {
            if (token is ['<', '0', 'x', _, _, '>']
                && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                run.Add(value);
                continue;
            }
            Flush();
            texts.Add(token);
        }
        Flush();
        return texts;

        void Flush()
        {
            if (run.Count == 0) return;
            byte[] bytes = [.. run];
            texts.Add(System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : new string('\uFFFD', bytes.Length));
            run.Clear();
        }
    }

    static Decoder Strip(JsonPart section)
    {
        char content = section.Get("content").Text is [var single] ? single : throw section.Error("'content' must be one character");
        int most = section.Get("start").Id, last = section.Get("stop").Id;
        return tokens => tokens.ConvertAll(token =>
        {
            int start = 0, end = token.Length;
            while (start < most && start < end && token[start] == content) start++;
            while (token.Length - end < last && end > start && token[end - 1] == content) end--;
            return token[start..end];
        });
    }

    static string WordPiece(string token, int index, string prefix, bool cleanup)
    {
        if (index > 0) token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        if (!cleanup) return token;
        foreach (var (from, to) in (ReadOnlySpan<(string, string)>)[(" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
            (" n't", "n't"),
            (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")])
            token = token.Replace(from, to, StringComparison.Ordinal);
        return token;
    }
}
