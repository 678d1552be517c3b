using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;

namespace Recall.Training;

/// <summary>
/// The card of a model that has just been trained, from the rows that it was trained on: beside it, where <c>recall merge</c> finds it.
/// </summary>
static class TrainedCard
{
    /// <summary>Rows that are read at most, spread evenly over the data: files are often in order of their labels.</summary>
    const int MostRows = 64;

    /// <summary>Reads the model back as it was written, lets it read the rows, and writes the card.</summary>
    /// <param name="config">What was trained; its output is written.</param>
    /// <param name="checkpoint">The model that was tuned.</param>
    /// <param name="examples">The rows as tokens.</param>
    /// <param name="cancellation">Stops between two layers.</param>
    /// <exception cref="RecallException">A disk that refuses, or inputs of layers that are not finite.</exception>
    public static void Write(
        TrainConfig config, Checkpoint checkpoint, IReadOnlyList<TrainingExample> examples, CancellationToken cancellation)
    {
        var trained = config.Lora is null ? Checkpoint.Open(config.Output) : LoraAdapter.Open(config.Output).Apply(checkpoint);
        int count = Math.Min(MostRows, examples.Count);
        var texts = Enumerable.Range(0, count).Select(i => examples[(int)((long)i * examples.Count / count)])
            .Select(example => new AlignmentText(example.Ids, example.AnswerStart)).ToList();
        CardRun.Write(Path.Combine(config.Output, CardFile.Name), config.Output, trained, texts, config.Card, answers: 1, checkpoint,
            cancellation: cancellation);
    }
}
