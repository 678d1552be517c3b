using System.Collections.Immutable;

namespace Recall.Checkpoints;

/// <summary>Rows of a new matrix that follow one another in one source, or are made in one way.</summary>
/// <param name="Start">The first of them in the new matrix.</param>
/// <param name="Count">How many.</param>
/// <param name="Source">The source, by number; or one of <see cref="RowMap.Zero"/>, <see cref="RowMap.Mean"/>,
/// <see cref="RowMap.MeanOfAll"/>.</param>
/// <param name="First">The first of them in the source; with <see cref="RowMap.Mean"/> the first of <see cref="RowMap.Means"/>.</param>
readonly record struct RowRun(int Start, int Count, int Source, int First);

/// <summary>A row of a source.</summary>
readonly record struct SourceRow(int Source, int Row);

/// <summary>Which row of which source each row of a new matrix is: runs, so that an order that is mostly kept takes little
/// memory.</summary>
/// <param name="Rows">Rows of the new matrix.</param>
/// <param name="Runs">All of them, in order, without gaps.</param>
/// <param name="Means">Rows that are the mean of several.</param>
sealed record RowMap(int Rows, ImmutableArray<RowRun> Runs, ImmutableArray<ImmutableArray<SourceRow>> Means)
{
    /// <summary>A row of zeros.</summary>
    public const int Zero = -1;

    /// <summary>A row that is the mean of rows of the sources.</summary>
    public const int Mean = -2;

    /// <summary>A row that is the mean of all rows of the new matrix but those of this kind.</summary>
    public const int MeanOfAll = -3;

    /// <summary>The run that holds a row.</summary>
    public RowRun RunOf(long row)
    {
        int low = 0, high = Runs.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (Runs[middle].Start <= row) low = middle;
            else high = middle - 1;
        }
        return Runs[low];
    }

    /// <summary>Of each source that is used, its last row that is.</summary>
    public IReadOnlyDictionary<int, int> LastRows()
    {
        var last = new SortedDictionary<int, int>();
        void Use(int source, int row) => last[source] = Math.Max(row, last.GetValueOrDefault(source));
        foreach (var run in Runs)
        {
            if (run.Source >= 0) Use(run.Source, run.First + run.Count - 1);
            if (run.Source != Mean) continue;
            for (int i = 0; i < run.Count; i++)
                foreach (var part in Means[run.First + i]) Use(part.Source, part.Row);
        }
        return last;
    }

    /// <summary>True where the new matrix is a source as it is.</summary>
    public bool IsWhole(int source, long rows) => Rows == rows && Runs is [{ First: 0 } run] && run.Source == source;
}

/// <summary>Makes a <see cref="RowMap"/> row by row.</summary>
sealed class RowMapBuilder
{
    readonly ImmutableArray<RowRun>.Builder _runs = ImmutableArray.CreateBuilder<RowRun>();
    readonly ImmutableArray<ImmutableArray<SourceRow>>.Builder _means = ImmutableArray.CreateBuilder<ImmutableArray<SourceRow>>();
    int _rows;

    /// <summary>Adds rows that follow one another in a source, or rows of one kind.</summary>
    public void Add(int source, int first, int count = 1)
    {
        if (count == 0) return;
        bool alike = source is RowMap.Zero or RowMap.MeanOfAll;
        if (_runs.Count > 0 && _runs[^1] is var last && last.Source == source && (alike || last.First + last.Count == first))
            _runs[^1] = last with { Count = last.Count + count };
        else
            _runs.Add(new RowRun(_rows, count, source, first));
        _rows += count;
    }

    /// <summary>Adds a row that is the mean of several.</summary>
    public void AddMean(ImmutableArray<SourceRow> of)
    {
        _means.Add(of);
        Add(RowMap.Mean, _means.Count - 1);
    }

    /// <summary>The map of all rows so far.</summary>
    public RowMap Build() => new(_rows, _runs.ToImmutable(), _means.ToImmutable());
}
