using Recall.Tokenization;

namespace Recall.TokenSurgery;

/// <summary>A token's row from those of the tokens as which the base reads its text.</summary>
sealed class SubwordRows
{
    readonly Tokenizer _tokenizer;
    readonly SubwordMethod _method;
    readonly int _rows;
    readonly bool _addsSpace;

    /// <param name="tokenizer">The base's.</param>
    /// <param name="method">What becomes of the parts.</param>
    /// <param name="rows">Rows of the base's embedding.</param>
    public SubwordRows(Tokenizer tokenizer, SubwordMethod method, int rows)
    {
        (_tokenizer, _method, _rows) = (tokenizer, method, rows);
        _addsSpace = tokenizer.Encode("a", addSpecialTokens: false) is [var first, ..] && tokenizer.TokenOf(first)!.StartsWith('▁');
    }

    /// <summary>The recipe; null where the base reads nothing of the text.</summary>
    /// <param name="text">The token's text.</param>
    /// <param name="head">For the head, not the embedding.</param>
    public RowRecipe? Of(string text, bool head)
    {
        bool word = text.Length > 1 && text[0] == ' ';
        int[] parts = _tokenizer.Encode(_addsSpace && word ? text[1..] : text, addSpecialTokens: false);
        if (_addsSpace && !word && parts.Length > 1 && _tokenizer.TokenOf(parts[0]) == "▁") parts = parts[1..];
        parts = [.. parts.Where(part => part < _rows)];
        if (parts.Length == 0) return null;
        double[] lengths = [.. parts.Select(part => (double)(_tokenizer.TokenOf(part)?.Length ?? 1))];
        return _method switch
        {
            SubwordMethod.Sum => new RowRecipe(parts, [.. parts.Select(_ => 1f)]),
            SubwordMethod.WeightedMean => new RowRecipe(parts, [.. lengths.Select(length => (float)(length / lengths.Sum()))]),
            SubwordMethod.FirstLast => RowRecipe.Copy(head ? parts[0] : parts[^1]),
            _ => new RowRecipe(parts, [.. parts.Select(_ => 1f / parts.Length)]),
        };
    }
}
