using Recall.Checkpoints;

namespace Recall.TokenSurgery;

/// <summary>The rows of one matrix, embedding or head, in the donor's vocabulary.</summary>
sealed class NewRows
{
    readonly TensorSource _own, _donor;
    readonly NewVocabulary _vocabulary;
    readonly bool _head;
    readonly RowRecipe[] _recipes;
    readonly List<int> _missing = [];
    readonly List<(int Donor, int Base)> _shared = [];
    readonly float[] _mean;
    int _others, _unknown;
    bool _prepared;

    /// <param name="own">The base's matrix.</param>
    /// <param name="donor">The donor's.</param>
    /// <param name="vocabulary">The donor's tokens.</param>
    /// <param name="head">It is the head.</param>
    public NewRows(TensorSource own, TensorSource donor, NewVocabulary vocabulary, bool head)
    {
        (_own, _donor, _vocabulary, _head) = (own, donor, vocabulary, head);
        _recipes = new RowRecipe[vocabulary.Donor.Size];
        // Ids without a token get what padding gets in merges.
        Array.Fill(_recipes, RowRecipe.MeanOfAll);
        _mean = new float[own.Shape[1]];
        Tensor = new TransplantedTensor(own, _recipes, _mean, vocabulary.Pairs?.Base, vocabulary.Seed);
        Match();
    }

    /// <summary>Rows that are made.</summary>
    public int Missing => _missing.Count;

    /// <summary>The matrix that is written.</summary>
    public TransplantedTensor Tensor { get; }

    void Match()
    {
        var options = _vocabulary.Options;
        foreach (var (token, id) in _vocabulary.Donor.Tokens)
        {
            if (_vocabulary.Matches.Same(token) is { } same)
            {
                _recipes[id] = RowRecipe.Copy(same);
                if (id < _donor.Shape[0]) _shared.Add((id, same));
                continue;
            }
            int? other = (Counts(options.ByteMatch) ? _vocabulary.Matches.SameByte(token) : null)
                ?? (Counts(options.PrefixMatch) ? _vocabulary.Matches.Prefix(token) : null);
            if (other is { } row)
            {
                _others++;
                _recipes[id] = RowRecipe.Copy(row);
            }
            else _missing.Add(id);
        }
    }

    bool Counts(MatchScope scope) => scope == MatchScope.Yes || scope == (_head ? MatchScope.Head : MatchScope.Embedding);

    bool ByDonor => _vocabulary.Options.IsOfSharedTokens;

    /// <summary>Whether there is all that the method needs; what will be done, for the user.</summary>
    public string Check(string model, string donor)
    {
        if (ByDonor && _missing.Count > 0 && _shared.Count == 0)
            throw new RecallException(
                $"{model} and {donor} have no token in common: new rows cannot be made of shared ones; use -a mean, or subword");
        _unknown = ByDonor ? _missing.Count(id => id >= _donor.Shape[0]) : 0;
        string others = _others == 0 ? "" : $", {_others} by byte or prefix";
        string unknown = _unknown == 0 ? "" : $"; {_unknown} of them have no row in {donor} and get the mean";
        return $"{_own.Name}: of {_shared.Count + _others + _missing.Count} tokens {_shared.Count} are in {model}{others}, {_missing.Count} rows are made{unknown}";
    }

    /// <summary>Finds the recipes of what is missing.</summary>
    /// <returns>What was found on the way, for the user; null: nothing.</returns>
    public string? Prepare(Action<int> done, CancellationToken cancellation)
    {
        if (_prepared) return null;
        _prepared = true;
        string? note = null;
        var options = _vocabulary.Options;
        var moments = RowMoments.Of(_own);
        moments.Mean.CopyTo(_mean, 0);
        var known = _missing.Where(id => !ByDonor || id < _donor.Shape[0]).ToList();
        if (ByDonor && known.Count > 0)
        {
            if (options.Magikarp) note = LeaveOutUndertrained(cancellation);
            using var shared = new SharedRows(_donor, _own, _shared);
            foreach (var (id, recipe) in known.Zip(shared.Approximate(known, options, _vocabulary.Pairs?.Donor, done, cancellation)))
                _recipes[id] = recipe;
        }
        if (options.Method == Approximation.JohnHewitt)
        {
            foreach (var (id, offset) in _missing.Zip(NormalRows.Draw(_own, moments, _missing.Count, _vocabulary.Seed)))
                _recipes[id] = RowRecipe.MeanOfAll with { Offset = offset };
        }
        foreach (int id in _missing)
        {
            _recipes[id] = options.Method switch
            {
                Approximation.Subword => BySubwords(id),
                Approximation.Zero => RowRecipe.Zero,
                Approximation.Randn => RowRecipe.Zero with { Noise = moments.Deviation },
                _ => _recipes[id],
            };
            _recipes[id] = _recipes[id].With(options.NewVocabScale, options.NewVocabNoise);
        }
        return note;
    }

    string LeaveOutUndertrained(CancellationToken cancellation)
    {
        bool[] own = UndertrainedRows.Of(_own, row => _vocabulary.Base.TokenOf(row) is not null, cancellation);
        bool[] donor = UndertrainedRows.Of(_donor, row => _vocabulary.Donor.TokenOf(row) is not null, cancellation);
        int all = _shared.Count, left = _shared.RemoveAll(pair => donor[pair.Donor] || own[pair.Base]);
        return _shared.Count > 0 ? $"{_own.Name}: {left} of {all} shared tokens look hardly trained; no row is made of them"
            : throw new RecallException($"--magikarp: all {all} tokens that the models share look hardly trained in {_own.Name}; leave the flag out");
    }

    RowRecipe BySubwords(int id)
    {
        string token = _vocabulary.Donor.TokenOf(id)!;
        string? text = TokenKeys.TextOf(_vocabulary.Keys.Of(token)) ?? (_vocabulary.Donor.IsAdded(token) ? token : null);
        return (text is null ? null : _vocabulary.Subwords!.Of(text, _head)) ?? RowRecipe.MeanOfAll;
    }
}
