namespace Recall.Tokenization;

/// <summary>Texts by their characters, for the longest one that begins at a place.</summary>
sealed class TokenTrie
{
    readonly Dictionary<(int Node, char Next), int> _edges = [];
    readonly List<int> _values = [-1];

    /// <summary>Adds a text that is not empty; of equal texts the first one counts.</summary>
    public void Add(string text, int value)
    {
        int node = 0;
        foreach (char c in text)
        {
            if (!_edges.TryGetValue((node, c), out int next))
            {
                next = _values.Count;
                _values.Add(-1);
                _edges.Add((node, c), next);
            }
            node = next;
        }
        if (_values[node] < 0) _values[node] = value;
    }

    public bool IsEmpty => _edges.Count == 0;

    /// <summary>The node after a character, or −1; 0 is the root.</summary>
    public int Next(int node, char c) => _edges.TryGetValue((node, c), out int next) ? next : -1;

    /// <summary>The value of the text that ends at a node, or −1.</summary>
    public int Value(int node) => _values[node];

    /// <summary>The value of the longest text at the beginning of a span, and its length; −1 where there is none.</summary>
    public (int Value, int Length) Longest(ReadOnlySpan<char> text)
    {
        var longest = (-1, 0);
        for (int node = 0, i = 0; i < text.Length && (node = Next(node, text[i])) > 0; i++)
            if (_values[node] >= 0) longest = (_values[node], i + 1);
        return longest;
    }
}
