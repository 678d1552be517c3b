using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Tests.Representations;
using static Recall.Tests.Alignment.FamilyModels;

namespace Recall.Tests.Alignment;

/// <summary>Linear layers that are stored [in, out]: GPT-2.</summary>
public sealed class Conv1DTests : TorchTests
{
    /// <summary>align of the first layer's queries, keys and values, number by number in double precision.</summary>
    [Fact]
    public void A_layer_stored_the_other_way_round_is_the_scalar_solution()
    {
        const string name = "transformer.h.0.attn.c_attn.weight";
        var baseModel = Base("gpt2");
        var experts = Experts(baseModel, 2, texts: 8);
        var merged = GoldenAlignment.Merge(baseModel, experts, new AlignmentOptions { Kind = AlignmentKind.Align })[name];

        float[] from = GoldenAlignment.Read(baseModel.Find(name)!);
        const int inputs = 48, outputs = 144;
        var sum = new double[inputs, inputs];
        var numerator = new double[outputs, inputs];
        foreach (var expert in experts)
        {
            var moment = Moment(expert);
            float[] own = GoldenAlignment.Read(expert.Checkpoint.Find(name)!);
            for (int i = 0; i < inputs; i++)
                for (int j = 0; j < inputs; j++)
                {
                    sum[i, j] += moment[i, j];
                    for (int output = 0; output < outputs; output++)
                        numerator[output, j] += ((double)own[i * outputs + output] - from[i * outputs + output]) * moment[i, j];
                }
        }
        double trace = Enumerable.Range(0, inputs).Sum(i => sum[i, i]);
        for (int i = 0; i < inputs; i++) sum[i, i] += 1e-3 * trace / inputs;
        var update = Solve(sum, numerator);
        for (int input = 0; input < inputs; input++)
            for (int output = 0; output < outputs; output++)
                Assert.Equal(from[input * outputs + output] + update[output, input], merged[input * outputs + output], 1e-5);
    }

    /// <summary>The sum over all tokens divided by its trace, plus the same of the tokens that predict the answer.</summary>
    static double[,] Moment(AlignmentExpert expert)
    {
        float[] Read(string tensor) => GoldenAlignment.Read(expert.Checkpoint.Find("transformer." + tensor)!);
        var (embedding, positions, weight, bias) = (Read("wte.weight"), Read("wpe.weight"), Read("h.0.ln_1.weight"), Read("h.0.ln_1.bias"));
        int size = weight.Length;
        var (all, answer) = (new double[size, size], new double[size, size]);
        foreach (var text in expert.Texts)
        {
            for (int token = 0; token < text.Ids.Length; token++)
            {
                double[] x = [.. Enumerable.Range(0, size).Select(i => (double)embedding[text.Ids[token] * size + i] + positions[token * size + i])];
                double mean = x.Average(), variance = x.Average(value => (value - mean) * (value - mean));
                for (int i = 0; i < size; i++) x[i] = (x[i] - mean) / Math.Sqrt(variance + 1e-3) * weight[i] + bias[i];
                for (int i = 0; i < size; i++)
                    for (int j = 0; j < size; j++)
                    {
                        all[i, j] += x[i] * x[j];
                        if (token >= text.Answer - 1) answer[i, j] += x[i] * x[j];
                    }
            }
        }
        double Trace(double[,] matrix) => Enumerable.Range(0, size).Sum(i => matrix[i, i]);
        var (one, two) = (Trace(all), Trace(answer));
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++) all[i, j] = all[i, j] / one + answer[i, j] / two;
        return all;
    }

    /// <summary>X·A = N for symmetric A, by elimination.</summary>
    static double[,] Solve(double[,] matrix, double[,] rows)
    {
        int size = matrix.GetLength(0), count = rows.GetLength(0);
        var (a, x) = ((double[,])matrix.Clone(), (double[,])rows.Clone());
        for (int pivot = 0; pivot < size; pivot++)
            for (int row = 0; row < size; row++)
            {
                if (row == pivot) continue;
                double factor = a[row, pivot] / a[pivot, pivot];
                for (int column = pivot; column < size; column++) a[row, column] -= factor * a[pivot, column];
                for (int right = 0; right < count; right++) x[right, row] -= factor * x[right, pivot];
            }
        for (int row = 0; row < size; row++)
            for (int right = 0; right < count; right++) x[right, row] /= a[row, row];
        return x;
    }

    [Fact]
    public void A_transposed_tensor_is_read_in_pieces_as_its_other_half()
    {
        var stored = Base("gpt2").Find("transformer.h.1.mlp.c_fc.weight")!;
        float[] values = GoldenAlignment.Read(stored);
        var turned = new TransposedTensor(stored, new TileReader());
        Assert.Equal(new Shape(56, 48), turned.Shape);
        var piece = new float[100];
        turned.Read(new TileReader(), 777, piece);
        for (int i = 0; i < piece.Length; i++) Assert.Equal(values[(777 + i) % 48 * 56 + (777 + i) / 48], piece[i]);
    }
}
