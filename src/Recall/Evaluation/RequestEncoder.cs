using Recall.Checkpoints;
using Recall.Tokenization;

namespace Recall.Evaluation;

/// <summary>What is given, and what of it is scored, as token ids.</summary>
/// <param name="Context">What is given; at least one token.</param>
/// <param name="Continuation">What is scored; at least one token.</param>
public sealed record TokenRequest(int[] Context, int[] Continuation);

/// <summary>From text to token ids, as lm-evaluation-harness does it.</summary>
/// <param name="tokenizer">The model's tokenizer.</param>
/// <param name="prefix">The token that stands where nothing is given: BOS, else EOS; null: the model has neither.</param>
/// <param name="addSpecialTokens">Whether texts get what the tokenizer puts around them: BOS, EOS.</param>
public sealed class RequestEncoder(Tokenizer tokenizer, int? prefix, bool addSpecialTokens = true)
{
    readonly string? _prefixText = prefix is { } id ? tokenizer.TokenOf(id) : null;

    /// <summary>The encoder of a model, from its tokenizer.json and the special tokens that its configs name.</summary>
    /// <exception cref="RecallException">The model has no tokenizer, or a broken one.</exception>
    public static RequestEncoder For(Checkpoint checkpoint, bool addSpecialTokens = true)
    {
        var tokenizer = Tokenizer.Load(checkpoint);
        return new RequestEncoder(
            tokenizer, SpecialTokens.Id(checkpoint, tokenizer, "bos") ?? SpecialTokens.Id(checkpoint, tokenizer, "eos"), addSpecialTokens);
    }

    /// <summary>
    /// Context and continuation. White space at the end of the context moves to the continuation; both are encoded together, and the
    /// continuation has the ids after as many as the context alone has. Without a context the prefix token is given.
    /// </summary>
    /// <exception cref="RecallException">The continuation has no token of its own, or nothing is given and there is no prefix
    /// token.</exception>
    public TokenRequest Encode(string context, string continuation)
    {
        string given = TrimEnd(context);
        continuation = context[given.Length..] + continuation;
        if (context.Length == 0) return WithPrefix(tokenizer.Encode(continuation, addSpecialTokens: false), continuation);
        int[] before = Encode(given), whole = Encode(given + continuation);
        if (before.Length == 0) return WithPrefix(whole, continuation);
        return whole.Length > before.Length ? new TokenRequest(before, whole[before.Length..]) : throw NoTokens(continuation);
    }

    /// <summary>
    /// A whole text, each of whose tokens is scored once, the first one given the prefix token: windows of at most
    /// <paramref name="maxLength"/> tokens, which see what stands before as far as it fits and at least
    /// <paramref name="contextLength"/> tokens.
    /// </summary>
    public IReadOnlyList<TokenRequest> Rolling(string text, int maxLength, int contextLength = 1)
    {
        int[] ids = Encode(text);
        var requests = new List<TokenRequest>();
        if (ids.Length == 0) return requests;
        int first = Math.Min(maxLength, ids.Length);
        requests.Add(new TokenRequest([Prefix(text)], ids[..first]));
        for (int scored = first; scored < ids.Length;)
        {
            int count = Math.Min(ids.Length - scored, maxLength - contextLength + 1), end = scored + count;
            requests.Add(new TokenRequest(ids[Math.Max(0, end - maxLength - 1)..scored], ids[scored..end]));
            scored = end;
        }
        return requests;
    }

    /// <summary>The ids of a text; a text that begins with the prefix token as text gets no special tokens.</summary>
    public int[] Encode(string text) =>
        tokenizer.Encode(text, addSpecialTokens && !(_prefixText is { Length: > 0 } known && text.StartsWith(known, StringComparison.Ordinal)));

    TokenRequest WithPrefix(int[] ids, string continuation)
    {
        if (ids.Length == 0) throw NoTokens(continuation);
        if (ids[0] != prefix) return new TokenRequest([Prefix(continuation)], ids);
        return ids.Length > 1 ? new TokenRequest(ids[..1], ids[1..]) : throw NoTokens(continuation);
    }

    int Prefix(string text) => prefix ?? throw new RecallException(
        $"nothing stands before {Quoted.Of(text)}, and the model has no BOS or EOS token to begin with; give a prompt");

    static RecallException NoTokens(string continuation) => new($"{Quoted.Of(continuation)} has no tokens of its own");

    /// <summary>Without the white space of Python's str.rstrip.</summary>
    static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && (char.IsWhiteSpace(text[end - 1]) || text[end - 1] is >= '\u001c' and <= '\u001f')) end--;
        return text[..end];
    }
}
