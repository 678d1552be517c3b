using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>What all blocks share on one batch: the rotation of each position and who sees whom.</summary>
public sealed class AttentionContext : IDisposable
{
    readonly Dictionary<int, Tensor> _masks = [];   // by window; 0: none
    readonly Dictionary<RopeOptions, Rotation> _rotations = [];
    readonly double? _scale;                        // of the scores; null: 1/√D
    readonly double _cap;                           // of the scores; 0: none
    readonly Tensor? _real;                         // [B, keys] bool; null where no padding comes before a real token
    readonly long _queries, _past;

    AttentionContext(BlockOptions options, Tensor positions, Tensor? real, long past, ScalarType type)
    {
        // positions [B or 1, queries]
        using var scope = NewDisposeScope();
        _queries = positions.shape[1];
        _past = past;
        _real = real;
        (_scale, _cap) = (options.AttentionScale, options.AttentionCap);
        Positions = positions.alias().DetachFromDisposeScope();
        foreach (var rope in options.Kinds.Select(kind => kind.Rope).OfType<RopeOptions>().Distinct())
            _rotations.Add(rope, new Rotation(rope, positions, past + _queries, type));
        if (options.Kinds[0].Rope is not { QueryScalingBeta: not 0 } scaled) return;
        var periods = positions.floor_divide(tensor((long)scaled.OriginalMaxPositions)).to_type(ScalarType.Float32);
        QueryScale = periods.log1p().Times(scaled.QueryScalingBeta).Plus(1).to_type(type).unsqueeze(1).unsqueeze(-1).DetachFromDisposeScope();
    }

    /// <summary>Position of each token: [B or 1, T] int64.</summary>
    public Tensor Positions { get; }

    /// <summary>Turns the first values of each head by the token's position: [B, H, T, D] → [B, H, T, D].</summary>
    public Tensor Rotate(Tensor heads, RopeOptions rope) => _rotations[rope].Apply(heads);

    /// <summary>Factors of the queries: [B or 1, 1, T, 1]; null: none.</summary>
    public Tensor? QueryScale { get; }

    /// <summary>
    /// For texts that begin at the first column: positions 0 … T − 1. Padding at the end needs no mask, since no real token looks ahead.
    /// </summary>
    public static AttentionContext Of(BlockOptions options, long length, ScalarType type = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        var positions = KeptScalars.Range(0, length).unsqueeze(0);
        return new AttentionContext(options, positions, null, 0, type);
    }

    /// <summary>For a batch, padded on either side; positions count real tokens. The batch must live as long as the context.</summary>
    public static AttentionContext Of(BlockOptions options, TokenBatch batch, ScalarType type = ScalarType.Float32) =>
        batch.PaddedLeft && batch.Lengths.Any(length => length < batch.Ids.shape[1])
            ? Of(options, batch.Real, 0, type)
            : Of(options, batch.Ids.shape[1], type);

    /// <summary>
    /// For the columns after the first <paramref name="past"/> of rows whose real tokens are given, [B, past + T] bool: as generation
    /// needs it, where
    /// keys and values of the first columns are cached. <paramref name="real"/> must live as long as the context.
    /// </summary>
    public static AttentionContext Of(BlockOptions options, Tensor real, long past, ScalarType type = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        var positions = real.to_type(ScalarType.Int64).cumsum(1).Minus(tensor(1L)).AtLeastZero().narrow(1, past, real.shape[1] - past);
        return new AttentionContext(options, positions, real, past, type);
    }

    /// <summary>
    /// Softmax attention of every query over the keys it sees: those before it and itself, real ones, within the window.
    /// </summary>
    public Tensor Attend(Tensor queries, Tensor keys, Tensor values, int? window)
    {
        // [B, H, T, D], [B, Hkv, past + T, D] twice → [B, H, T, D]
        long reach = window is { } tokens && tokens < _past + _queries ? tokens : 0;
        if (_real is null && _past == 0 && _cap == 0 && BlockKernels.Serve(queries, keys, values))
            return BlockKernels.Attend(queries, keys, values, _scale ?? 1 / Math.Sqrt(queries.shape[3]), reach > 0 ? reach : _queries);
        long group = queries.shape[1] / keys.shape[1];
        (keys, values) = (Repeat(keys, group), Repeat(values, group));
        if (_cap > 0) return AttendCapped(queries, keys, values, reach);
        if (_scale is { } scale) queries = queries.Times(scale * Math.Sqrt(queries.shape[3]));
        if (_real is null && reach == 0 && _past == 0)
            return nn.functional.scaled_dot_product_attention(queries, keys, values, is_casual: true);
        return nn.functional.scaled_dot_product_attention(queries, keys, values, Mask(reach));
    }

    Tensor AttendCapped(Tensor queries, Tensor keys, Tensor values, long reach)
    {
        using var scope = NewDisposeScope();
        double scale = _scale ?? 1 / Math.Sqrt(queries.shape[3]);
        var scores = queries.matmul(keys.transpose(2, 3)).Times(scale / _cap).tanh().Times(_cap);
        scores = scores.HiddenWhere(Mask(reach).logical_not());
        return nn.functional.softmax(scores, -1, ScalarType.Float32).to_type(values.dtype).matmul(values).MoveToOuterDisposeScope();
    }

    static Tensor Repeat(Tensor x, long group)
    {
        // [B, Hkv, T, D] → [B, Hkv·group, T, D]: each head for the queries of its group
        if (group == 1) return x;
        var (rows, heads, tokens, dim) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
        return x.unsqueeze(2).expand(rows, heads, group, tokens, dim).reshape(rows, heads * group, tokens, dim);
    }

    Tensor Mask(long reach)
    {
        if (!_masks.TryGetValue((int)reach, out var mask)) _masks.Add((int)reach, mask = MakeMask(reach));
        return mask;
    }

    Tensor MakeMask(long reach)
    {
        // → [B or 1, 1, T, past + T] bool
        using var scope = NewDisposeScope();
        var key = KeptScalars.Range(0, _past + _queries).unsqueeze(0);
        var distance = KeptScalars.Range(_past, _past + _queries).unsqueeze(1).Minus(key);
        var seen = distance.ge(tensor(0L));
        if (reach > 0) seen = seen.logical_and(distance.lt(tensor(reach)));
        seen = seen.unsqueeze(0).unsqueeze(0);
        if (_real is not null)
        {
            // A padded query sees itself: with nothing to see its softmax would be NaN, which 0 · NaN would carry to real tokens.
            seen = seen.logical_and(_real.unsqueeze(1).unsqueeze(1)).logical_or(distance.eq(tensor(0L)));
        }
        return seen.DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Positions.Dispose();
        foreach (var rotation in _rotations.Values) rotation.Dispose();
        QueryScale?.Dispose();
        foreach (var mask in _masks.Values) mask.Dispose();
    }
}
