using Recall.Checkpoints;
using static TorchSharp.torch;

namespace Recall.Representations;

/// <summary>
/// How far what other models expect next is from what one model expects: Kullback-Leibler divergence KL(p ‖ q) = Σ p log (p / q) over the whole
/// vocabulary, of which some rows of the heads are in memory at a time. In natural units.
/// </summary>
/// <param name="own">The model with p.</param>
/// <param name="others">The models with q.</param>
sealed class Divergence(Checkpoint own, IReadOnlyList<Checkpoint> others)
{
    const int HeadRows = 4096, StateRows = 256;

    /// <summary>The sum over places, one for each other model.</summary>
    /// <param name="states">The states of the model, then of the others, before the final norm: [places, d] each.</param>
    /// <param name="cancellation">Stops between parts of the head.</param>
    public double[] Sum(IReadOnlyList<Tensor> states, CancellationToken cancellation)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var reader = new TileReader();
        Head[] heads = [.. others.Prepend(own).Select((model, i) => new Head(model, states[i], reader))];
        long places = states[0].shape[0];
        var sums = new Sums[(places + StateRows - 1) / StateRows];
        for (int i = 0; i < sums.Length; i++) sums[i] = new Sums(Math.Min(StateRows, places - (long)i * StateRows), others.Count);
        for (int first = 0; first < heads[0].Vocabulary; first += HeadRows)
        {
            foreach (var head in heads) head.Read(first, Math.Min(HeadRows, heads[0].Vocabulary - first), reader);
            for (int i = 0; i < sums.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var part = NewDisposeScope();
                sums[i].Add([.. heads.Select(head => head.Scores((long)i * StateRows, sums[i].Places))]);
            }
        }
        double[] divergences = [.. others.Select((_, other) => sums.Sum(part => part.Divergence(other)))];
        foreach (var head in heads) head.Dispose();
        return divergences;
    }

    /// <summary>A model's head, some rows at a time.</summary>
    sealed class Head : IDisposable
    {
        readonly ModelHead _head;
        readonly TensorSource _source;
        readonly Tensor _states, _weights;
        int _first, _count;

        public Head(Checkpoint checkpoint, Tensor states, TileReader reader)
        {
            var options = BlockOptions.Read(checkpoint);
            _head = ModelHead.Read(checkpoint, options, states.dtype, reader);
            _source = checkpoint.Require(options.HeadWeight, options.EmbeddingShape);
            _states = _head.Normalize(states);
            Vocabulary = options.VocabularySize;
            _weights = empty([Math.Min(HeadRows, Vocabulary), options.HiddenSize], states.dtype);
        }

        public int Vocabulary { get; }

        public void Read(int first, int count, TileReader reader)
        {
            (_first, _count) = (first, count);
            using var rows = _weights.narrow(0, 0, count);
            new RowRange(_source, first, count).ReadInto(rows, reader);
        }

        /// <summary>Scores of the tokens that are read, in double precision: [places, tokens].</summary>
        public Tensor Scores(long start, long places)
        {
            using var rows = _weights.narrow(0, 0, _count);
            return _head.Scores(_states.narrow(0, start, places), rows, _first).to_type(ScalarType.Float64);
        }

        public void Dispose() => _head.Dispose();
    }

    /// <summary>What of the vocabulary's sums is known so far, with the largest score m of p: Σ exp(z_p − m), Σ exp(z_p − m)(z_p − z_q), log Σ exp z_q.</summary>
    sealed class Sums(long places, int others)
    {
        readonly double[] _largest = [.. Enumerable.Repeat(double.NegativeInfinity, (int)places)], _exponentials = new double[places];
        readonly double[][] _differences = [.. Enumerable.Range(0, others).Select(_ => new double[places])];
        readonly double[][] _logs = [.. Enumerable.Range(0, others).Select(_ => Enumerable.Repeat(double.NegativeInfinity, (int)places).ToArray())];

        public long Places => places;

        public void Add(IReadOnlyList<Tensor> scores)
        {
            var own = scores[0];
            var top = own.amax([1L], keepdim: true);
            var shares = own.Minus(top).exp();
            double[] largest = Values(top), exponentials = Values(shares.sum([1L]));
            double[][] differences = [.. scores.Skip(1).Select(other => Values((shares * own.Minus(other)).sum([1L])))];
            double[][] logs = [.. scores.Skip(1).Select(other => Values(other.logsumexp(1)))];
            for (int place = 0; place < places; place++)
            {
                double high = Math.Max(_largest[place], largest[place]), before = Math.Exp(_largest[place] - high), now = Math.Exp(largest[place] - high);
                _largest[place] = high;
                _exponentials[place] = before * _exponentials[place] + now * exponentials[place];
                for (int other = 0; other < others; other++)
                {
                    _differences[other][place] = before * _differences[other][place] + now * differences[other][place];
                    double most = Math.Max(_logs[other][place], logs[other][place]);
                    _logs[other][place] = most + Math.Log(Math.Exp(_logs[other][place] - most) + Math.Exp(logs[other][place] - most));
                }
            }
        }

        public double Divergence(int other) => Enumerable.Range(0, (int)places).Sum(place => Math.Max(0, _differences[other][place] / _exponentials[place]
            - _largest[place] - Math.Log(_exponentials[place]) + _logs[other][place]));

        static double[] Values(Tensor values) => values.data<double>().ToArray();
    }
}
