using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;

namespace Recall.Evaluation;

/// <summary>How a model likes a continuation.</summary>
/// <param name="LogProbabilities">Of each of its tokens, natural logarithms.</param>
/// <param name="Greedy">For each of its tokens, whether no other has a higher probability.</param>
public sealed record ContinuationScore(ImmutableArray<double> LogProbabilities, ImmutableArray<bool> Greedy)
{
    /// <summary>The log-probability of the whole.</summary>
    public double Sum => LogProbabilities.Sum();

    /// <summary>Whether the model, taking its best token at each place, would write it.</summary>
    public bool IsGreedy => Greedy.All(token => token);
}

/// <summary>How continuations are scored.</summary>
public sealed record LogLikelihoodOptions
{
    /// <summary>The most tokens that a model reads at a time; a longer context loses its beginning. Default what the model was made
    /// for.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Type of the forward passes; default float32.</summary>
    public ComputeType Compute { get; init; } = ComputeType.Float32;

    /// <summary>Bytes that the hidden states of the texts may take; where they need more the model is read several times. Default 512
    /// MiB.</summary>
    public long StateBytes { get; init; } = 512L << 20;
}

/// <summary>How far the scoring of a model is.</summary>
/// <param name="Pass">From 1.</param>
/// <param name="Passes">How often the model is read.</param>
/// <param name="Layer">The layer that is done, 0 … L.</param>
/// <param name="Layers">L.</param>
public readonly record struct LogLikelihoodProgress(int Pass, int Passes, int Layer, int Layers);

/// <summary>
/// Log-likelihoods of continuations, layer by layer: of the weights there is one layer in memory, and then a part of the head.
/// </summary>
public static class LogLikelihood
{
    /// <summary>The most tokens that a model was made to read, as lm-eval finds it in the config.</summary>
    public static int MaxLength(Checkpoint checkpoint)
    {
        foreach (string key in (ReadOnlySpan<string>)["n_positions", "max_position_embeddings", "n_ctx"])
            if (checkpoint.Config[key] is { } value && value.GetValueKind() == System.Text.Json.JsonValueKind.Number
                && int.TryParse(value.ToJsonString(), out int length) && length > 0) return length;
        return BlockOptions.Read(checkpoint).MaxPositions;
    }

    /// <summary>Scores continuations, in the order of the requests.</summary>
    /// <param name="name">The model's name, for messages.</param>
    /// <param name="checkpoint">The model.</param>
    /// <param name="requests">What is given and what is scored.</param>
    /// <param name="options">Lengths, types, memory.</param>
    /// <param name="progress">Told of every layer.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="RecallException">No forward pass for the family, ids outside the vocabulary, a continuation that is empty or longer
    /// than the model reads, or scores that are not finite.</exception>
    public static ImmutableArray<ContinuationScore> Run(
        string name, Checkpoint checkpoint, IReadOnlyList<TokenRequest> requests, LogLikelihoodOptions options,
        IProgress<LogLikelihoodProgress>? progress = null, CancellationToken cancellation = default)
    {
        var block = BlockOptions.Read(checkpoint);
        int longest = options.MaxLength ?? MaxLength(checkpoint);
        var shared = new SharedInputs([.. requests.Select(request => Input(request, longest, name))]);
        var passes = Passes(shared.Texts, options.StateBytes / (4L * block.HiddenSize));
        var ofText = Enumerable.Range(0, requests.Count).ToLookup(request => shared.TextOf[request]);
        var scores = new ContinuationScore[requests.Count];
        for (int pass = 0; pass < passes.Count; pass++)
        {
            var (first, count) = passes[pass];
            int[] chosen = [.. Enumerable.Range(first, count).SelectMany(text => ofText[text])];
            var targets = Score(
                (name, checkpoint), [.. shared.Texts.AsSpan(first, count)],
                [.. chosen.Select(request => (shared.TextOf[request] - first, Start(requests[request], longest), requests[request].Continuation))],
                options.Compute, layer => progress?.Report(new(pass + 1, passes.Count, layer, block.Layers)), cancellation);
            for (int i = 0; i < chosen.Length; i++) scores[chosen[i]] = targets[i];
        }
        return [.. scores];
    }

    /// <summary>Context and continuation but for the last token, of which nothing follows; the end of it, where it is too long.</summary>
    static int[] Input(TokenRequest request, int longest, string name)
    {
        var (context, continuation) = request;
        if (context.Length == 0 || continuation.Length == 0) throw new RecallException("a request has no tokens to score, or none before them");
        if (continuation.Length > longest)
        {
            throw new RecallException($"a text to score has {continuation.Length} tokens; {name} reads at most {longest} at a time: "
                + "shorten it, or give a larger maximum length");
        }
        int cut = Math.Max(0, context.Length + continuation.Length - 1 - longest);
        return [.. context.AsSpan(cut), .. continuation.AsSpan(0, continuation.Length - 1)];
    }

    /// <summary>The place in the input whose score is that of the continuation's first token.</summary>
    static int Start(TokenRequest request, int longest) =>
        Math.Min(request.Context.Length + request.Continuation.Length - 1, longest) - request.Continuation.Length;

    static List<(int First, int Count)> Passes(ImmutableArray<int[]> texts, long tokens)
    {
        var passes = new List<(int First, int Count)>();
        long left = 0;
        for (int text = 0; text < texts.Length; text++)
        {
            if (passes.Count == 0 || texts[text].Length > left)
            {
                passes.Add((text, 0));
                left = tokens;
            }
            left -= texts[text].Length;
            passes[^1] = (passes[^1].First, passes[^1].Count + 1);
        }
        return passes;
    }

    static ContinuationScore[] Score(
        (string Name, Checkpoint Checkpoint) model, int[][] texts, (int Text, int Start, int[] Wanted)[] requests, ComputeType compute,
        Action<int> done, CancellationToken cancellation)
    {
        (int Text, int Token)[] places = [.. requests.SelectMany(request => request.Wanted.Select((_, i) => (request.Text, request.Start + i)))];
        var reader = new TileReader();
        using var states = States(model, texts, places, compute, reader, done, cancellation);
        var scores = TargetScores.Of(model.Checkpoint, states, [.. requests.SelectMany(request => request.Wanted)], reader, cancellation);
        var results = new ContinuationScore[requests.Length];
        int target = 0;
        for (int request = 0; request < requests.Length; request++)
        {
            var targets = Enumerable.Range(target, requests[request].Wanted.Length).ToArray();
            results[request] = new ContinuationScore([.. targets.Select(scores.LogProbability)], [.. targets.Select(scores.IsGreedy)]);
            if (!double.IsFinite(results[request].Sum)) throw new RecallException($"{model.Name}: its scores are not finite; are its weights whole?");
            target += targets.Length;
        }
        return results;
    }

    static TorchSharp.torch.Tensor States(
        (string Name, Checkpoint Checkpoint) model, int[][] texts, IReadOnlyList<(int Text, int Token)> places, ComputeType compute,
        TileReader reader, Action<int> done, CancellationToken cancellation)
    {
        using var stream = new RepresentationStream([model], texts, compute);
        stream.Embed(reader, cancellation);
        done(0);
        for (int layer = 1; layer <= stream.Layers; layer++)
        {
            stream.Block(layer, reader, cancellation);
            done(layer);
        }
        return stream.States(0, places);
    }
}
