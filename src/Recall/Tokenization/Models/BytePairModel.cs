using System.Collections.Concurrent;
using System.Text;

namespace Recall.Tokenization.Models;

/// <summary>
/// Byte-pair encoding (Sennrich et al., 2016, arXiv 1508.07909): of all neighbouring pairs the one that was learned first merges first, the
/// leftmost
/// of equals, until no pair is known. Characters are bytes (GPT-2) or code points.
/// </summary>
sealed class BytePairModel : TokenModel
{
    const int LongestCached = 64, MostCached = 100_000;

    readonly BytePairOptions _options;
    readonly MergeTable _merges;
    readonly int[]? _byteCharacters, _byteTokens;
    readonly int _unknown;
    readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;
    int _cacheCount;

    BytePairModel(Vocabulary vocabulary, MergeTable merges, BytePairOptions options, int unknown) : base(vocabulary)
    {
        (_merges, _options, _unknown) = (merges, options, unknown);
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        if (options.ByteFallback) _byteTokens = ByteTokens(vocabulary);
        // The short way, for the usual case: every byte has its token.
        if (options is { MapsBytes: true, Prefix: "", Suffix: "" })
        {
            int[] characters = [.. Enumerable.Range(0, 256).Select(value => vocabulary.Id([ByteAlphabet.Of((byte)value)]) ?? -1)];
            if (!characters.Contains(-1)) _byteCharacters = characters;
        }
    }

    /// <summary>Reads vocabulary, merges and options.</summary>
    /// <exception cref="RecallException">A merge of tokens that are not there, dropout, wrong types.</exception>
    public static BytePairModel Read(JsonPart part, bool mapsBytes)
    {
        if (part.Find("dropout") is { } dropout && !(dropout.Element.ValueKind == System.Text.Json.JsonValueKind.Number
            && dropout.Element.GetDouble() == 0))
            throw dropout.Error("dropout makes encodings random; set it to null");
        var vocabulary = Vocabulary.Read(part.Get("vocab"));
        var options = new BytePairOptions(mapsBytes, part.FindText("continuing_subword_prefix")
            ?? "", part.FindText("end_of_word_suffix") ?? "",
            part.FindTruth("fuse_unk"), part.FindTruth("byte_fallback"), part.FindTruth("ignore_merges"));
        int unknown = -1;
        if (part.FindText("unk_token") is { } token && !vocabulary.TryGetId(token, out unknown))
            throw part.Error($"the unknown token {Quoted.Of(token)} is not in the vocabulary");
        return new BytePairModel(vocabulary, MergeTable.Read(part.Get("merges"), vocabulary, options.Prefix.Length), options, unknown);
    }

    public override void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > LongestCached)
        {
            EncodeWord(word, ids);
            return;
        }
        if (!_cached.TryGetValue(word, out int[]? known))
        {
            var fresh = new List<int>();
            EncodeWord(word, fresh);
            known = [.. fresh];
            if (_cacheCount < MostCached && _cached.TryAdd(word, known)) Interlocked.Increment(ref _cacheCount);
        }
        ids.AddRange(known);
    }

    void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_options.IgnoreMerges && Vocabulary.TryGetId(_options.MapsBytes ? ByteAlphabet.Map(word) : word, out int whole))
        {
            ids.Add(whole);
            return;
        }
        if (_byteCharacters is not null)
        {
            var bytes = new byte[Encoding.UTF8.GetByteCount(word)];
            Encoding.UTF8.GetBytes(word, bytes);
            var symbols = new int[bytes.Length];
            for (int i = 0; i < symbols.Length; i++) symbols[i] = _byteCharacters[bytes[i]];
            _merges.Apply(symbols, ids);
            return;
        }
        _merges.Apply([.. Characters(_options.MapsBytes ? ByteAlphabet.Map(word) : word.ToString())], ids);
    }

    /// <summary>The first symbols of a word: its characters, or what stands for those that are no tokens.</summary>
    List<int> Characters(string word)
    {
        var symbols = new List<int>(word.Length);
        bool pending = false;
        int at = 0;
        foreach (var rune in word.EnumerateRunes())
        {
            string character = (at > 0 ? _options.Prefix : "") + rune;
            at += rune.Utf16SequenceLength;
            if (at == word.Length) character += _options.Suffix;
            if (Vocabulary.TryGetId(character, out int id))
            {
                if (pending) symbols.Add(_unknown);
                pending = false;
                symbols.Add(id);
            }
            else if (_byteTokens is not null)
            {
                foreach (byte value in Encoding.UTF8.GetBytes(character)) symbols.Add(_byteTokens[value]);
            }
            else if (_unknown >= 0)
            {
                if (pending && !_options.FuseUnknown) symbols.Add(_unknown);
                pending = true;
            }
        }
        if (pending) symbols.Add(_unknown);
        return symbols;
    }

    /// <summary>The tokens <c>&lt;0x00&gt;</c> … <c>&lt;0xFF&gt;</c>, or null where some are missing: then unknown characters have no
    /// bytes.</summary>
    public static int[]? ByteTokens(Vocabulary vocabulary)
    {
        int[] tokens = [.. Enumerable.Range(0, 256).Select(value => vocabulary.Id($"<0x{value:X2}>") ?? -1)];
        return tokens.Contains(-1) ? null : tokens;
    }
}

/// <summary>The options of a BPE model in tokenizer.json.</summary>
/// <param name="MapsBytes">Words come as text and are mapped to GPT-2's byte alphabet here.</param>
/// <param name="Prefix">Before every character of a word but the first.</param>
/// <param name="Suffix">After the last character of a word.</param>
/// <param name="FuseUnknown">Neighbouring unknown characters are one unknown token.</param>
/// <param name="ByteFallback">Unknown characters become byte tokens.</param>
/// <param name="IgnoreMerges">A word that is a token is that token, whether merging reaches it or not.</param>
readonly record struct BytePairOptions(bool MapsBytes, string Prefix, string Suffix, bool FuseUnknown, bool ByteFallback,
    bool IgnoreMerges);
