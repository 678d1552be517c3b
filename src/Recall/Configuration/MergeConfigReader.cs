using System.Collections.Immutable;
using Recall.Configuration.Yaml;
using Recall.Numerics;

namespace Recall.Configuration;

/// <summary>From the YAML tree of a merge file to <see cref="MergeConfig"/>.</summary>
static class MergeConfigReader
{
    const int MostLayers = 100_000;

    static readonly DType[] OutputTypes = [DType.F16, DType.BF16, DType.F32, DType.I64];

    public static MergeConfig Read(YamlMapping document, string text, string file)
    {
        var notes = new List<string>();
        var section = new YamlSection(document, file);
        string method = section.TakeText("merge_method")
            ?? throw section.Missing("merge_method", "it names the method, such as recall, linear or ties");
        var config = new MergeConfig
        {
            File = file,
            Text = text,
            Method = method,
            MethodPlace = section.At(section.Take("merge_method")!, "merge_method"),
            Models = ReadModels(section, notes),
            Slices = ReadSlices(section, notes),
            Modules = ReadModules(section, notes),
            BaseModel = TakeModel(section, "base_model"),
            Parameters = ParameterSet.Read(section.TakeSection("parameters")),
            DType = ReadType(section, "dtype"),
            OutDType = ReadType(section, "out_dtype"),
            Tokenizer = TokenizerConfig.Read(section),
            ChatTemplate = section.TakeText("chat_template"),
            ChatTemplatePlace = section.Take("chat_template") is { } template ? section.At(template, "chat_template") : default,
            ReferenceModel = TakeModel(section, "reference_model"),
            Recall = RecallOptions.Read(section.TakeSection("recall")),
        };
        section.Take("name");   // of a document of several; mergekit-yaml ignores it
        section.Finish(notes);
        int forms = (config.Models.Length > 0 ? 1 : 0) + (config.Slices.Length > 0 ? 1 : 0) + (config.Modules.Length > 0 ? 1 : 0);
        if (forms != 1)
            throw section.Place.Error($"exactly one of 'models', 'slices' and 'modules' is expected, "
                + $"{(forms == 0 ? "none is there" : "more than one is there")}");
        return config with { Notes = [.. notes] };
    }

    static readonly string[] OfModels =
        ["slices", "modules", "tokenizer", "tokenizer_source", "chat_template", "reference_model", "recall"];

    /// <summary>A merge file of bare files of weights: whole files, without anything that needs layers or a tokenizer.</summary>
    public static MergeConfig ReadRaw(YamlMapping document, string text, string file)
    {
        var notes = new List<string>();
        var section = new YamlSection(document, file);
        string method = section.TakeText("merge_method")
            ?? throw section.Missing("merge_method", "it names the method, such as linear or ties");
        var methodPlace = section.At(section.Take("merge_method")!, "merge_method");
        if (method == "recall")
            throw methodPlace.Error("the method recall compares layers of models; bare files of weights have none (recall merge takes models)");
        var models = ReadModels(section, notes);
        foreach (string key in OfModels)
        {
            if (section.Take(key) is { } node)
                throw section.At(node, key).Error($"'{key}' has no meaning for bare files of weights; recall merge takes it, with models");
        }
        var type = ReadType(section, "dtype");
        var config = new MergeConfig
        {
            File = file,
            Text = text,
            Method = method,
            MethodPlace = methodPlace,
            Models = models,
            BaseModel = TakeModel(section, "base_model"),
            Parameters = ParameterSet.Read(section.TakeSection("parameters")),
            DType = type,
            OutDType = ReadType(section, "out_dtype") ?? type,
        };
        section.Finish(notes);
        if (config.Models.Length == 0) throw section.Missing("models", "the files of weights to merge");
        foreach (var entry in config.Models)
        {
            if (entry.Model.Lora is not null)
                throw entry.Place.Error($"{entry.Model} names an adapter; a raw merge takes files of weights as they are");
        }
        return config with { Notes = [.. notes] };
    }

    static ModelReference? TakeModel(YamlSection section, string key) =>
        section.Take(key) is { } node ? ModelReference.Read(node, section.At(node, key)) : null;

    static ImmutableArray<ModelEntry> ReadModels(YamlSection section, List<string> notes) =>
    [
        .. section.TakeList("models").Select(item =>
        {
            // A bare name is what many write at first, and its meaning is plain.
            if (item.Node is YamlScalar) return new ModelEntry(ModelReference.Read(item.Node, item.Place), ParameterSet.None, item.Place);
            var entry = section.Section(item);
            var model = TakeModel(entry, "model") ?? throw entry.Missing("model");
            var parameters = ParameterSet.Read(entry.TakeSection("parameters"));
            var (samples, card) = (entry.TakeText("samples"), entry.TakeText("card"));
            entry.Finish(notes);
            return new ModelEntry(model, parameters, entry.Place) { Samples = samples, Card = card };
        }),
    ];

    static ImmutableArray<OutputSlice> ReadSlices(YamlSection section, List<string> notes) =>
    [
        .. section.TakeList("slices").Select(item =>
        {
            var slice = section.Section(item);
            var sources = slice.TakeList("sources").Select(source => ReadSource(slice.Section(source), notes)).ToImmutableArray();
            if (sources.Length == 0) throw slice.Missing("sources", "the models and layers of which the slice is made");
            int layers = sources[0].End - sources[0].Start;
            foreach (var source in sources)
                if (source.End - source.Start != layers)
                    throw source.Place.Error($"all sources of a slice must have the same number of layers; this one has {source.End - source.Start}, "
                        + $"the first {layers}");
            var baseModel = TakeModel(slice, "base_model");
            var parameters = ParameterSet.Read(slice.TakeSection("parameters"));
            slice.Take("residual_weight");      // accepted and without effect in mergekit
            slice.Finish(notes);
            return new OutputSlice(sources, baseModel, parameters, slice.Place);
        }),
    ];

    static SliceSource ReadSource(YamlSection source, List<string> notes)
    {
        var model = TakeModel(source, "model") ?? throw source.Missing("model");
        var range = source.TakeList("layer_range");
        if (range.Length != 2) throw source.Place.Error("key 'layer_range' must hold the first layer and the one after the last: [0, 8]");
        int start = Layer(range[0]), end = Layer(range[1]);
        if (end <= start) throw range[1].Place.Error($"the range [{start}, {end}] holds no layer");
        var parameters = ParameterSet.Read(source.TakeSection("parameters"));
        source.Finish(notes);
        return new SliceSource(model, start, end, parameters, source.Place);
    }

    static int Layer((YamlNode Node, Place Place) item) =>
        Yaml11.Number(item.Node) is { } number && number == Math.Floor(number) && number is >= 0 and <= MostLayers
        ? (int)number
        : throw item.Place.Error($"a layer is a whole number from 0 to {MostLayers}");

    static ImmutableArray<ModuleEntry> ReadModules(YamlSection section, List<string> notes)
    {
        if (section.TakeSection("modules") is not { } modules) return [];
        return
        [
            .. modules.Entries.Select(entry =>
            {
                var module = modules.TakeSection(entry.Key) ?? throw modules.At(entry.Value, entry.Key).Error("'models' or 'slices' is expected here");
                var read = new ModuleEntry(entry.Key, ReadModels(module, notes), ReadSlices(module, notes),
                    ParameterSet.Read(module.TakeSection("parameters")), module.Place);
                module.Finish(notes);
                if (read.Models.Length > 0 == read.Slices.Length > 0) throw module.Place.Error("exactly one of 'models' and 'slices' is expected");
                return read;
            }),
        ];
    }

    public static DType? ReadType(YamlSection section, string key)
    {
        if (section.TakeText(key) is not { } name) return null;
        if (DTypes.FromTorchName(name) is { } type && OutputTypes.Contains(type)) return type;
        var known = OutputTypes.Select(DTypes.TorchName).ToList();
        string? meant = name is "bf16" or "bfloat" ? "bfloat16" : name is "fp16" or "half" ? "float16" : name is "fp32" or "float" ? "float32"
            : Quoted.Nearest(name, known);
        throw section.At(section.Take(key)!, key).Error($"unknown type {Quoted.Of(name)}; known: "
            + $"{string.Join(", ", known)}{(meant is null ? "" : $"; did you mean '{meant}'?")}");
    }
}
