using System.Diagnostics;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;

namespace Recall.Benchmarks;

/// <summary>
/// A checkpoint of random weights: normal with sigma 0.02, norms around 1. Element i of tensor t is a function of (seed, t, i) alone, so that threads
/// can write any part in any order.
/// </summary>
static class SyntheticModel
{
    const int ChunkElements = 4 << 20;
    const double Sigma = 0.02;

    public static void Write(Arguments arguments)
    {
        string folder = arguments.Positional(0, "OUT");
        var shape = ModelShape.Find(arguments.One("--shape") ?? "1b");
        shape = shape with
        {
            Layers = Number(arguments, "--layers") ?? shape.Layers,
            Vocabulary = Number(arguments, "--vocabulary") ?? shape.Vocabulary,
        };
        var type = (arguments.One("--dtype") ?? "bf16") switch
        {
            "bf16" => DType.BF16,
            "f16" => DType.F16,
            "f32" => DType.F32,
            var other => throw new ConfigurationException($"unknown type '{other}'; known: bf16, f16, f32"),
        };
        if (!ulong.TryParse(arguments.One("--seed") ?? "0", out ulong seed)) throw new ConfigurationException("--seed takes a number");
        arguments.Finish();

        var started = Stopwatch.StartNew();
        var tensors = shape.Tensors().Select(tensor => (tensor.Name, type, tensor.Shape)).ToList();
        var (header, offsets, length) = SafetensorsHeader.Make(tensors, SafetensorsHeader.TorchMetadata);
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "model.safetensors");
        using (var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, preallocationSize: length))
        {
            RandomAccess.Write(file, header, 0);
            var chunks = from t in Enumerable.Range(0, tensors.Count)
                         from start in Starts(tensors[t].Shape.Elements)
                         select (Tensor: t, Start: start);
            Parallel.ForEach(chunks, () => new Chunk(type), (chunk, _, buffer) =>
            {
                var (name, _, extents) = tensors[chunk.Tensor];
                int count = (int)Math.Min(ChunkElements, extents.Elements - chunk.Start);
                var bytes = buffer.Fill(seed ^ ((ulong)chunk.Tensor << 40), chunk.Start, count, offset: name.EndsWith("norm.weight", StringComparison.Ordinal) ? 1 : 0);
                RandomAccess.Write(file, bytes, offsets[chunk.Tensor] + chunk.Start * type.Size());
                return buffer;
            }, _ => { });
        }
        File.WriteAllText(Path.Combine(folder, "config.json"), shape.Config(type).ToJsonString(new() { WriteIndented = true }));
        Console.WriteLine($"{path}: {length} bytes in {started.Elapsed.TotalSeconds:F1} s");
    }

    static int? Number(Arguments arguments, string option) => arguments.One(option) is not { } text ? null
        : int.TryParse(text, out int number) && number > 0 ? number : throw new ConfigurationException($"{option} takes a number above 0");

    static IEnumerable<long> Starts(long elements)
    {
        for (long start = 0; start < elements; start += ChunkElements) yield return start;
    }

    /// <summary>The buffers of one thread.</summary>
    sealed class Chunk(DType type)
    {
        readonly float[] _values = new float[ChunkElements];
        readonly byte[] _bytes = new byte[ChunkElements * type.Size()];

        public ReadOnlySpan<byte> Fill(ulong key, long start, int count, float offset)
        {
            // One hash gives four numbers: each 16 bits choose one of 65536 quantiles of the normal distribution.
            for (int i = 0; i < count; i += 4)
            {
                ulong bits = SplitMix(key + ((ulong)(start + i) >> 2) * 0x9E37_79B9_7F4A_7C15);
                int end = Math.Min(i + 4, count);
                for (int j = i; j < end; j++, bits >>= 16) _values[j] = offset + Normal.Quantiles[(ushort)bits];
            }
            var bytes = _bytes.AsSpan(0, count * type.Size());
            PlainEncoding.Of(type).Encode(_values.AsSpan(0, count), bytes);
            return bytes;
        }

        /// <summary>Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.</summary>
        static ulong SplitMix(ulong z)
        {
            z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
            z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
            return z ^ (z >> 31);
        }
    }

    static class Normal
    {
        /// <summary>Quantiles of the normal distribution with sigma 0.02 at (i + ½) / 65536.</summary>
        public static readonly float[] Quantiles = [.. Enumerable.Range(0, 65536).Select(i => (float)(Sigma * Quantile((i + 0.5) / 65536)))];

        /// <summary>By bisection of the distribution function, which is a sum: Marsaglia, Evaluating the normal distribution, 2004.</summary>
        static double Quantile(double p)
        {
            double low = -5, high = 5;
            for (int step = 0; step < 50; step++)
            {
                double middle = (low + high) / 2, term = middle, sum = middle;
                for (int i = 3; Math.Abs(term) > 1e-17 * Math.Abs(sum); i += 2) sum += term *= middle * middle / i;
                double distribution = 0.5 + sum * Math.Exp(-middle * middle / 2) / Math.Sqrt(2 * Math.PI);
                if (distribution < p) low = middle;
                else high = middle;
            }
            return (low + high) / 2;
        }
    }
}
