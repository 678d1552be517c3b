using System.Text;
using Recall.Checkpoints;

namespace Recall.Evaluation;

/// <summary>
/// A plain text for its perplexity: one sequence of tokens, cut into windows that are scored each alone; the first token of a window, of
/// which nothing says what it should be, is not scored.
/// </summary>
/// <param name="File">The file.</param>
/// <param name="Content">The text.</param>
/// <param name="Window">Tokens of a window.</param>
/// <param name="MaxTokens">Tokens that count, from the beginning; null: all.</param>
public sealed record PlainText(string File, string Content, int Window = 512, int? MaxTokens = null)
{
    const long Largest = 1L << 30;

    /// <summary>Reads a file of UTF-8.</summary>
    /// <exception cref="RecallException">Not there, larger than 1 GiB, not UTF-8, or empty.</exception>
    public static PlainText Read(string path, int window = 512, int? maxTokens = null)
    {
        using var file = DataFile.Open(path);
        if (file.Length > Largest) throw new RecallException($"{path}: has {file.Length} bytes; a plain text has at most {Largest}");
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        try
        {
            string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes).TrimStart('\uFEFF');
            return text.Length > 0 ? new PlainText(path, text, window, maxTokens) : throw new RecallException($"{path}: is empty: there is nothing to score");
        }
        catch (ArgumentException e)
        {
            throw new RecallException($"{path}: is no text in UTF-8", e);
        }
    }

    /// <summary>The windows.</summary>
    /// <exception cref="RecallException">Fewer than two tokens.</exception>
    public IReadOnlyList<TokenRequest> Requests(RequestEncoder encoder)
    {
        int[] ids = encoder.Encode(Content);
        if (MaxTokens < ids.Length) ids = ids[..MaxTokens.Value];
        if (ids.Length < 2) throw new RecallException($"{File}: has {ids.Length} tokens; at least two are needed, of which the second is scored");
        return [.. ids.Chunk(Window).Where(window => window.Length > 1).Select(window => new TokenRequest(window[..1], window[1..]))];
    }
}
