namespace Recall.TokenSurgery;

/// <summary>How a new row is made: Σ weight · row of the base, scale · what is added to it, and normal noise.</summary>
/// <param name="Rows">Rows of the base.</param>
/// <param name="Weights">Their weights.</param>
sealed record RowRecipe(int[] Rows, float[] Weights)
{
    /// <summary>A row of zeros.</summary>
    public static readonly RowRecipe Zero = new([], []);

    /// <summary>The mean of all rows of the base.</summary>
    public static readonly RowRecipe MeanOfAll = new([], []) { IsMean = true };

    /// <summary>The row is the mean of all.</summary>
    public bool IsMean { get; init; }

    /// <summary>A row that is added, times <see cref="Scale"/>; recipes may share one. Null: none.</summary>
    public float[]? Offset { get; init; }

    /// <summary>By how many rotary positions each of <see cref="Rows"/> is turned; null: none is.</summary>
    public int[]? Turns { get; init; }

    /// <summary>Standard deviation of normal numbers that are added.</summary>
    public float Noise { get; init; }

    /// <summary>A row of the base as it is.</summary>
    public static RowRecipe Copy(int row) => new([row], [1]);

    /// <summary>The same, scaled, with noise.</summary>
    public RowRecipe With(double scale, double noise) => scale == 1 && noise == 0 ? this : this with
    {
        Weights = [.. Weights.Select(weight => (float)(weight * scale))],
        Scale = (float)(Scale * scale),
        Noise = (float)Math.Sqrt(Noise * Noise * scale * scale + noise * noise),
    };

    /// <summary>Factor of the mean and of <see cref="Offset"/>.</summary>
    public float Scale { get; init; } = 1;
}
