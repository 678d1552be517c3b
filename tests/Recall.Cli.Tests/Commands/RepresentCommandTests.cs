using Recall.Checkpoints;

namespace Recall.Cli.Tests.Commands;

public class RepresentCommandTests
{
    [Fact]
    public void StatesAndLogitsAreThoseOfTransformers()
    {
        using var folder = new TemporaryFolder();
        string model = Repository.Fixture("architectures", "llama");
        var golden = Checkpoint.Open(Path.Combine(model, "golden.safetensors"));
        var ids = GoldenIds(golden);
        File.WriteAllLines(folder["ids.jsonl"], ids.Select(text => $"[{string.Join(", ", text)}]"));

        var run = Session.Run("represent", model, folder["ids.jsonl"], "--ids", "--tokens", "--logits", "--compute", "float32", "--out", folder["out.safetensors"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var states = Checkpoint.Open(folder["out.safetensors"]);
        int layers = states.Tensors.Count(tensor => tensor.Name.StartsWith("text.0.layer.", StringComparison.Ordinal)) - 1;
        Assert.Equal(ids.Count * (layers + 2), states.Tensors.Count);
        for (int text = 0; text < ids.Count; text++)
        {
            for (int layer = 0; layer <= layers; layer++)
                Near(golden.Find(layer == layers ? $"hidden.{layer}.raw" : $"hidden.{layer}")!, text, states.Find($"text.{text}.layer.{layer}")!);
            Near(golden.Find("logits")!, text, states.Find($"text.{text}.logits")!);
        }
    }

    [Fact]
    public void PooledStatesAreMeansOfThoseOfTheTokens()
    {
        using var folder = new TemporaryFolder();
        string model = TinyModel.Write(folder["tiny"], 3);
        File.WriteAllText(folder["ids.jsonl"], "[1, 2, 3]\n[4]\n[5, 6]\n\n");
        var pooled = Session.Run("represent", model, folder["ids.jsonl"], "--ids", "--out", folder["pooled.safetensors"]);
        Assert.Equal(0, pooled.ExitCode);
        Assert.StartsWith($"{folder["pooled.safetensors"]}: 3 texts, 6 tokens, layers 0 to 2, ", pooled.Out, StringComparison.Ordinal);
        Assert.Equal(0, Session.Run("represent", model, folder["ids.jsonl"], "--ids", "--tokens", "--out", folder["tokens.safetensors"]).ExitCode);
        Checkpoint means = Checkpoint.Open(folder["pooled.safetensors"]), tokens = Checkpoint.Open(folder["tokens.safetensors"]);
        Assert.Equal(["layer.0", "layer.1", "layer.2"], means.Tensors.Select(tensor => tensor.Name));
        for (int layer = 0; layer <= TinyModel.Layers; layer++)
        {
            float[] mean = Values(means.Find($"layer.{layer}")!);
            for (int text = 0; text < 3; text++)
            {
                float[] states = Values(tokens.Find($"text.{text}.layer.{layer}")!);
                int count = states.Length / TinyModel.Hidden;
                for (int j = 0; j < TinyModel.Hidden; j++)
                    Assert.Equal(Enumerable.Range(0, count).Average(token => states[token * TinyModel.Hidden + j]), mean[text * TinyModel.Hidden + j], 1e-5f);
            }
        }
    }

    [Theory]
    [InlineData("[1, 2]\n[1, x]\n", ":2: a JSON array of token ids is expected")]
    [InlineData("[1]\n\n[2]\n", ":2: a JSON array of token ids is expected")]
    [InlineData("[]\n", ":1: a JSON array of token ids is expected")]
    [InlineData("\n", ": holds no token ids")]
    public void BrokenIdsAreNamedWithTheirLine(string ids, string message)
    {
        using var folder = new TemporaryFolder();
        string model = TinyModel.Write(folder["tiny"], 3);
        File.WriteAllText(folder["ids.jsonl"], ids);
        var run = Session.Run("represent", model, folder["ids.jsonl"], "--ids", "--out", folder["out.safetensors"]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains($"{folder["ids.jsonl"]}{message}", run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path, "out*"));
    }

    [Fact]
    public void AnIdBeyondTheVocabularyAndAStopLeaveNothing()
    {
        using var folder = new TemporaryFolder();
        string model = TinyModel.Write(folder["tiny"], 3);
        File.WriteAllText(folder["ids.jsonl"], "[1, 99]\n");
        string[] command = ["represent", model, folder["ids.jsonl"], "--ids", "--out", folder["out.safetensors"]];
        Assert.Equal(1, Session.Run(command).ExitCode);
        File.WriteAllText(folder["ids.jsonl"], "[1, 2]\n");
        Assert.Equal(130, Session.Run(screen => screen, new CancellationToken(canceled: true), command).ExitCode);
        Assert.Empty(Directory.GetFiles(folder.Path, "out*"));
    }

    static List<int[]> GoldenIds(Checkpoint golden)
    {
        float[] ids = Values(golden.Find("input_ids")!), mask = Values(golden.Find("attention_mask")!);
        int rows = (int)golden.Find("input_ids")!.Shape[0], columns = ids.Length / rows;
        return [.. Enumerable.Range(0, rows).Select(row => Enumerable.Range(row * columns, columns).Where(i => mask[i] == 1).Select(i => (int)ids[i]).ToArray())];
    }

    /// <summary>Compares the first tokens of a row, which are not padded, with a text's own.</summary>
    static void Near(TensorSource golden, int row, TensorSource actual)
    {
        float[] all = Values(golden), values = Values(actual);
        int begin = row * (int)(golden.Shape[1] * golden.Shape[2]);
        for (int i = 0; i < values.Length; i++) Assert.Equal(all[begin + i], values[i], 1e-4f);
    }

    static float[] Values(TensorSource tensor)
    {
        var values = new float[tensor.Shape.Elements];
        new TileReader().Decode(tensor.Verbatim!, 0, values);
        return values;
    }
}
