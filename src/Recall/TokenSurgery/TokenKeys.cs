using System.Text;
using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Tokenization;

namespace Recall.TokenSurgery;

/// <summary>
/// What the tokens of a vocabulary mean, so that two can be compared whatever their tokenizers write: the text, with its space; of special tokens the
/// role; of bytes that are no text the bytes.
/// </summary>
sealed class TokenKeys
{
    const string Role = "\0role ", Bytes = "\0bytes ";
    static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    readonly Dictionary<string, string> _roles = new(StringComparer.Ordinal);
    readonly TokenizerFile _file;
    readonly bool _byteLevel;

    public TokenKeys(TokenizerFile file, IReadOnlyList<CheckpointFile> files)
    {
        _file = file;
        int bytes = file.Tokens.Count(token => token.Token.StartsWith('Ġ')), words = file.Tokens.Count(token => token.Token.StartsWith('▁'));
        _byteLevel = bytes > words;
        foreach (var beside in files.Where(beside => beside.Name is "tokenizer_config.json" or "special_tokens_map.json"))
        {
            var config = TokenizerFiles.ReadObject(beside);
            foreach (string role in Roles)
                if (Content(config[role]) is { } token && file.IdOf(token) is not null) _roles.TryAdd(token, Role + role);
        }
    }

    /// <summary>The key of a token.</summary>
    public string Of(string token)
    {
        if (_roles.TryGetValue(token, out string? role)) return role;
        if (_file.IsAdded(token)) return token;
        if (!_byteLevel) return token.Replace('▁', ' ');
        var bytes = new List<byte>();
        ByteAlphabet.Unmap(token, bytes);
        try
        {
            return Strict.GetString(bytes.ToArray());
        }
        catch (DecoderFallbackException)
        {
            return Bytes + Convert.ToHexString(bytes.ToArray());
        }
    }

    /// <summary>The text that a key stands for; null where it is none.</summary>
    public static string? TextOf(string key) => key.Length > 0 && key[0] == '\0' ? null : key;

    /// <summary>
    /// The key of the same byte in the other way of writing it: <c>&lt;0x41&gt;</c> and A; null for what is no single byte.
    /// </summary>
    public static string? OtherByte(string key)
    {
        if (key is ['<', '0', 'x', var high, var low, '>'] && char.IsAsciiHexDigit(high) && char.IsAsciiHexDigit(low))
        {
            byte value = Convert.FromHexString([high, low])[0];
            return value < 0x80 ? ((char)value).ToString() : Bytes + value.ToString("X2");
        }
        if (key is [var single] && single < 0x80) return $"<0x{(int)single:X2}>";
        return key.StartsWith(Bytes, StringComparison.Ordinal) && key.Length == Bytes.Length + 2 ? $"<0x{key[Bytes.Length..]}>" : null;
    }

    static string? Content(JsonNode? token) =>
        (token is JsonObject settings ? settings["content"] : token) is JsonValue value && value.TryGetValue(out string? content) ? content : null;
}
