using System.Globalization;
using System.Text.Json;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;
using Recall.Checkpoints.Safetensors;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Representations;
using Recall.Streaming;
using static TorchSharp.torch;

namespace Recall.Extraction;

/// <summary>
/// An adapter from a fine-tuned model: of each linear layer the largest singular triples of what it has beyond its base (mergekit-extract-lora). The
/// nearest matrix of that rank: Eckart and Young, Psychometrika 1, 1936. One module is in memory at a time.
/// </summary>
public static class LoraExtraction
{
    const string ConfigName = "adapter_config.json";

    /// <summary>Extracts and writes the folder: adapter_model.safetensors, README.md, and adapter_config.json last.</summary>
    /// <param name="tuned">The fine-tuned model; may be BASE+ADAPTER.</param>
    /// <param name="baseModel">Its base.</param>
    /// <param name="options">How, and where to.</param>
    /// <param name="progress">Told of each module that is done; the bytes are those of both models' weights that were read for it.</param>
    /// <param name="cancellation">Stops between two modules, and between the steps of one; what was written is taken away.</param>
    /// <exception cref="RecallException">Models that do not belong together, options that fit nothing, a disk that refuses.</exception>
    public static ExtractionResult Run(
        ModelReference tuned, ModelReference baseModel, ExtractionOptions options, IProgress<MergeProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        TorchProcess.Prepare();
        OpenedModel tunedModel = OpenedModel.Open(tuned), opened = OpenedModel.Open(baseModel);
        var plan = ExtractionPlan.Make(opened, tunedModel, options);
        OutputFolder.CheckIsFree(options.Output);
        bool made = !Directory.Exists(options.Output);
        try
        {
            return Write(plan, tunedModel, opened, options, progress, cancellation);
        }
        catch
        {
            if (made && Directory.Exists(options.Output) && !Directory.EnumerateFileSystemEntries(options.Output).Any())
                Directory.Delete(options.Output);
            throw;
        }
    }

    static ExtractionResult Write(
        ExtractionPlan plan, OpenedModel tuned, OpenedModel baseModel, ExtractionOptions options, IProgress<MergeProgress>? progress,
        CancellationToken cancellation)
    {
        var report = new List<ExtractedModule>();
        var written = new List<WrittenModule>();
        List<string> leftOut = [.. plan.LeftOut], notes = [.. plan.Notes];
        bool biases = false;
        var reader = new TileReader();
        long read = 0, toRead = plan.Modules.Sum(module => module.BytesToRead);
        using (var file = new AppendedSafetensors(Path.Combine(options.Output, "adapter_model.safetensors"), Largest(plan, options)))
        {
            foreach (var module in plan.Modules)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Report(new MergeProgress(module.Name, read, toRead));
                if (module.Form == ModuleForm.Whole)
                {
                    foreach (var (part, pair) in module.Tensors) file.Append(module.TensorName(part), pair.Tuned);
                    report.Add(new ExtractedModule(module.Name, null, 0));
                }
                else
                {
                    var bias = Bias(module, reader);
                    var factors = Decompose(module, tuned, options, reader, cancellation);
                    var (outputs, inputs) = module.Extent;
                    bool moved = bias?.Any(value => value != 0) == true;
                    if (factors.Rank == 0 && !moved)
                    {
                        leftOut.Add(module.Name);
                        string why = factors.Lost == 0 ? "does not differ"
                            : string.Create(CultureInfo.InvariantCulture, $"no singular value above {options.SvEpsilon}");
                        notes.Add($"{module.Name}: {why}: left out");
                    }
                    else
                    {
                        // Where only the bias differs, factors of zeros carry it.
                        if (factors.Rank == 0) factors = new ModuleFactors(1, new float[inputs], new float[outputs], factors.Lost);
                        var type = module.Tensors["weight"].Base.DType;
                        var (a, b) = module.FactorNames;
                        file.Append(a, type, new Shape(factors.Rank, inputs), factors.A);
                        file.Append(b, type, new Shape(outputs, factors.Rank), factors.B);
                        if (bias is not null) file.Append(module.TensorName("lora_B.bias"), type, new Shape(bias.Length), bias);
                        biases |= bias is not null;
                        written.Add(new WrittenModule(module.Name, factors.Rank, factors.Rank));
                        report.Add(new ExtractedModule(module.Name, factors.Rank, factors.Lost));
                    }
                }
                read += module.BytesToRead;
                progress?.Report(new MergeProgress(module.Name, read, toRead));
            }
            if (written.Count == 0)
                throw new RecallException(
                    $"{tuned.Name} does not differ from {baseModel.Name} in any linear layer that was asked for: there is "
                        + "nothing to extract");
            file.Finish();
        }
        var targets = Ends(written.Select(module => module.Module));
        var saved = Ends(plan.Modules.Where(module => module.Form == ModuleForm.Whole).Select(module => module.Name));
        // target_modules names layers by the ends of their names; what has no factors but such a name is excluded by its own.
        bool IsNamed(List<string> ends, string name) => ends.Exists(end => LoraConfig.IsEndOf(end, name));
        List<string> excluded = [.. leftOut.Where(name => IsNamed(targets, name) && !IsNamed(saved, name))];
        var extras = new WrittenExtras(written.Max(module => module.Rank), saved, excluded, biases,
            plan.Modules.Any(module => module is { Form: ModuleForm.Factors, Transposed: true }));
        var config = LoraConfigWriter.Make(written, new LoraWriteOptions { BaseModel = baseModel.Name, TargetModules = targets }, extras);
        WholeFile.Write(Path.Combine(options.Output, "README.md"), AdapterCard.Write(tuned.Name, baseModel.Name, options, report));
        WholeFile.Write(Path.Combine(options.Output, ConfigName), stream => JsonSerializer.Serialize(stream, config, LoraConfigWriter.Indented));
        return new ExtractionResult([.. report], [.. notes]);
    }

    /// <summary>The last parts of names.</summary>
    static List<string> Ends(IEnumerable<string> names) =>
        [.. names.Select(name => name[(name.LastIndexOf('.') + 1)..]).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    static IEnumerable<(string, DType, Shape)> Largest(ExtractionPlan plan, ExtractionOptions options)
    {
        foreach (var module in plan.Modules)
        {
            if (module.Form == ModuleForm.Whole)
            {
                foreach (var (part, pair) in module.Tensors) yield return (module.TensorName(part), pair.Tuned.DType, pair.Tuned.Shape);
                continue;
            }
            var (outputs, inputs) = module.Extent;
            int rank = Math.Min(options.MaxRank, Math.Min(outputs, inputs));
            var (a, b) = module.FactorNames;
            var type = module.Tensors["weight"].Base.DType;
            yield return (a, type, new Shape(rank, inputs));
            yield return (b, type, new Shape(outputs, rank));
            if (module.Tensors.TryGetValue("bias", out var bias)) yield return (module.TensorName("lora_B.bias"), type, bias.Base.Shape);
        }
    }

    static ModuleFactors Decompose(PlannedModule module, OpenedModel tuned, ExtractionOptions options, TileReader reader, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var (from, to) = module.Tensors["weight"];
        var delta = Matrix(to, reader).Minus(Matrix(from, reader));
        return ModuleFactors.Of(module.Transposed ? delta.t() : delta, options, cancellation)
            ?? throw new RecallException($"{to.Name} of {tuned.Name}, or of its base, holds an element that is no finite number");
    }

    static Tensor Matrix(TensorSource source, TileReader reader)
    {
        var values = empty([.. source.Shape.Dimensions], ScalarType.Float32);
        source.ReadInto(values, reader);
        return values;
    }

    static float[]? Bias(PlannedModule module, TileReader reader)
    {
        if (!module.Tensors.TryGetValue("bias", out var bias)) return null;
        float[] from = new float[bias.Base.Shape.Elements], to = new float[from.Length];
        reader.BeginTensor();
        reader.Begin(from.Length);
        bias.Base.Read(reader, 0, from);
        bias.Tuned.Read(reader, 0, to);
        return [.. to.Zip(from, (after, before) => after - before)];
    }
}
