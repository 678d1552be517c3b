using Recall.Tokenization;

namespace Recall.TokenSurgery;

/// <summary>Which row of the base a token of the donor has.</summary>
sealed class TokenMatches
{
    readonly Dictionary<string, int> _rows = new(StringComparer.Ordinal);
    readonly TokenizerFile _base;
    readonly TokenKeys _baseKeys, _donorKeys;
    readonly int _baseRows;

    /// <param name="baseFile">The base's tokens.</param>
    /// <param name="baseKeys">What they mean.</param>
    /// <param name="baseRows">Rows of its embedding.</param>
    /// <param name="donorKeys">What the donor's tokens mean.</param>
    public TokenMatches(TokenizerFile baseFile, TokenKeys baseKeys, int baseRows, TokenKeys donorKeys)
    {
        (_base, _baseKeys, _donorKeys, _baseRows) = (baseFile, baseKeys, donorKeys, baseRows);
        foreach (var (token, id) in baseFile.Tokens)
            if (id < baseRows) _rows.TryAdd(baseKeys.Of(token), id);
    }

    /// <summary>The row of the same token; null where the base has none.</summary>
    public int? Same(string token)
    {
        string key = _donorKeys.Of(token);
        if (_base.IdOf(token) is { } id && id < _baseRows && _baseKeys.Of(token) == key) return id;
        return _rows.TryGetValue(key, out int row) ? row : null;
    }

    /// <summary>The row of the same byte, written the other way.</summary>
    public int? SameByte(string token) => TokenKeys.OtherByte(_donorKeys.Of(token)) is { } key && _rows.TryGetValue(key, out int row) ? row : null;

    /// <summary>The row of the longest token with which this one begins.</summary>
    public int? Prefix(string token)
    {
        if (TokenKeys.TextOf(_donorKeys.Of(token)) is not { } text) return null;
        for (int length = text.Length - 1; length > 0; length--)
            if (_rows.TryGetValue(text[..length], out int row)) return row;
        return null;
    }
}
