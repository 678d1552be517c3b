using System.Diagnostics.CodeAnalysis;

namespace Recall.Streaming;

/// <summary>
/// The tiles of many output tensors in the order in which threads take them: tensor by tensor, and of each pass by pass. A pass begins when all tiles
/// of the one before are done; threads that find none to take meanwhile go on with the tensors behind it.
/// </summary>
/// <param name="tensors">The tensors, asked for one by one as threads want tiles.</param>
/// <param name="threads">How many threads take tiles: so many tensors, and one more, are in work at most.</param>
sealed class TileQueue(IEnumerable<TensorWork> tensors, int threads) : IDisposable
{
    readonly object _gate = new();
    readonly IEnumerator<TensorWork> _tensors = tensors.GetEnumerator();
    readonly List<Tensor> _open = [];
    bool _isLast, _isStopped;

    /// <summary>A tensor in work.</summary>
    public sealed class Tensor(TensorWork work)
    {
        internal int Taken, Left;

        /// <summary>Its tiles and passes.</summary>
        public TensorWork Work { get; } = work;

        /// <summary>The pass that it is in.</summary>
        public int Pass { get; private set; }

        /// <summary>True in a reduce pass, false in the last one, which writes.</summary>
        public bool IsReduced { get; private set; }

        internal void Begin()
        {
            (Taken, Left, IsReduced) = (0, Work.Tiles, Work.HasPass(Pass));
            if (IsReduced) Work.BeginPass(Pass);
        }

        // Whether another pass follows.
        internal bool End()
        {
            if (IsReduced) Work.EndPass(Pass++);
            else Work.End();
            return IsReduced;
        }
    }

    /// <summary>The next tile; waits where that is not known yet. False after the last one, and when the queue is stopped.</summary>
    public bool Take([NotNullWhen(true)] out Tensor? tensor, out int tile)
    {
        lock (_gate)
        {
            for (; !_isStopped; Monitor.Wait(_gate))
            {
                tensor = _open.Find(each => each.Taken < each.Work.Tiles) ?? OpenNext();
                if (tensor is null && _open.Count == 0) break;
                if (tensor is null) continue;
                tile = tensor.Taken++;
                return true;
            }
        }
        (tensor, tile) = (null, 0);
        return false;
    }

    Tensor? OpenNext()
    {
        while (!_isLast && _open.Count <= threads)
        {
            _isLast = !_tensors.MoveNext();
            if (_isLast) break;
            var next = new Tensor(_tensors.Current);
            next.Begin();
            if (next.Work.Tiles > 0)
            {
                _open.Add(next);
                return next;
            }
            while (next.End()) next.Begin();
        }
        return null;
    }

    /// <summary>A tile of the tensor is done; after the last one of a pass the caller ends it.</summary>
    public void Done(Tensor tensor)
    {
        lock (_gate)
            if (--tensor.Left > 0) return;
        bool goesOn = tensor.End();
        lock (_gate)
        {
            if (goesOn) tensor.Begin();
            else _open.Remove(tensor);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Gives no more tiles: a thread has failed.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _tensors.Dispose();
}
