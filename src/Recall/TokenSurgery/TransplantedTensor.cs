using Recall.Checkpoints;
using Recall.Numerics;

namespace Recall.TokenSurgery;

/// <summary>
/// An embedding or head in another vocabulary, whose rows are made of the base's while it is read; memory is that of the recipes.
/// </summary>
/// <param name="own">The base's matrix, [tokens, width].</param>
/// <param name="recipes">One a row.</param>
/// <param name="mean">The mean of the base's rows; empty where no recipe needs it.</param>
/// <param name="pairs">The base's rotary pairs, where recipes turn rows.</param>
/// <param name="seed">Of noise.</param>
sealed class TransplantedTensor(TensorSource own, RowRecipe[] recipes, float[] mean, RotaryPairs? pairs, long seed) : TensorSource
{
    readonly int _width = checked((int)own.Shape[1]);
    readonly CounterRandom _random = new(seed, own.Name, 0);

    public override string Name => own.Name;

    public override Shape Shape { get; } = new(recipes.Length, own.Shape[1]);

    public override DType DType => own.DType;

    public override IEnumerable<StoredTensor> Stored => own.Stored;

    public override void Read(TileReader reader, long start, Span<float> destination)
    {
        var sums = new double[_width];
        var row = new float[_width];
        while (destination.Length > 0)
        {
            var (index, column) = Math.DivRem(start, _width);
            var part = destination[..(int)Math.Min(_width - column, destination.Length)];
            Make(reader, recipes[index], start, (int)column, sums.AsSpan(0, part.Length), row.AsSpan(0, part.Length));
            for (int i = 0; i < part.Length; i++) part[i] = (float)sums[i];
            start += part.Length;
            destination = destination[part.Length..];
        }
    }

    void Make(TileReader reader, RowRecipe recipe, long start, int column, Span<double> sums, Span<float> row)
    {
        sums.Clear();
        for (int i = 0; i < recipe.Rows.Length; i++)
        {
            if (recipe.Turns is { } turns && turns[i] != 0) ReadTurned(reader, recipe.Rows[i], turns[i], column, row);
            else reader.ReadUpTo(own, (long)recipe.Rows[i] * _width + column, row, row.Length);
            for (int j = 0; j < row.Length; j++) sums[j] += (double)recipe.Weights[i] * row[j];
        }
        if (recipe.IsMean)
            for (int j = 0; j < sums.Length; j++) sums[j] += recipe.Scale * mean[column + j];
        if (recipe.Offset is { } offset)
            for (int j = 0; j < sums.Length; j++) sums[j] += recipe.Scale * offset[column + j];
        if (recipe.Noise == 0) return;
        for (int j = 0; j < sums.Length; j++) sums[j] += recipe.Noise * Normal.At(_random, start + j);
    }

    /// <summary>The values of a pair may lie on both sides of a piece: the whole row is read.</summary>
    void ReadTurned(TileReader reader, int row, int turn, int column, Span<float> destination)
    {
        var whole = new float[_width];
        reader.ReadUpTo(own, (long)row * _width, whole, _width);
        pairs!.Turn(whole, turn);
        whole.AsSpan(column, destination.Length).CopyTo(destination);
    }
}
