using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Data;
using Recall.Tokenization;

namespace Recall.Representations;

/// <summary>The texts that <c>recall: {samples, text, candidates, max_tokens}</c> names, as token ids of the reference model.</summary>
public static class SampleReader
{
    /// <summary>Reads the file, draws the candidates, and turns them into tokens.</summary>
    /// <param name="name">The reference model's name, for messages.</param>
    /// <param name="reference">The reference model: its tokenizer reads the texts.</param>
    /// <param name="options">File, template, number of candidates, tokens that count, seed.</param>
    /// <returns>The candidates in the order of the file; and whether they are a choice already made, by <c>recall select</c>.</returns>
    /// <exception cref="RecallException">No file named, none there, no texts, or a model without tokenizer.</exception>
    public static (IReadOnlyList<Sample> Candidates, bool Chosen) Read(string name, Checkpoint reference, RecallOptions options)
    {
        if (options.Samples is not { } path)
        {
            throw Error(options, "samples: is missing: the file with texts of the newest task (JSONL, JSON, CSV, Parquet, text, a task file of lm-eval, or "
                + "what recall select wrote), from which the layer weights are found; or merge with --weights FILE");
        }
        var texts = SampleTexts.Read(path, options.Text, "recall.text");
        if (texts.Count == 0) throw new RecallException($"{path}: holds no texts; recall needs at least two to compare models by");
        bool chosen = SamplesFile.IsSelection(texts.Select(text => text.Fields));
        var rows = chosen ? Enumerable.Range(0, texts.Count) : TypicalSamples.Draw(texts.Count, options.Candidates ?? RecallOptions.DefaultCandidates, options.Seed);
        var tokenizer = texts.All(text => text.Ids is not null) ? null : Tokenizer.Load(reference);
        return ([.. rows.Select(row => Read(texts[row], chosen, tokenizer, options))], chosen);
    }

    static Sample Read(SampleText text, bool chosen, Tokenizer? tokenizer, RecallOptions options)
    {
        int[] ids = [.. (text.Ids ?? tokenizer!.Encode(text.Text)).Take(options.MaxTokens)];
        int row = chosen ? SamplesFile.Row(text.Fields) ?? text.Row - 1 : text.Row - 1;
        return new Sample(row, text.Text, ids) { Fields = text.Fields, ClusterSize = chosen ? SamplesFile.ClusterSize(text.Fields) : 1 };
    }

    static RecallException Error(RecallOptions options, string what) =>
        options.Place.File is null ? new RecallException("recall." + what) : options.Place.Error(what);
}
