using System.Collections.Immutable;
using Recall.Configuration.Yaml;
using Recall.Numerics;

namespace Recall.Configuration;

/// <summary>
/// What a merge file asks for: mergekit's format, with the keys <c>reference_model</c> and <c>recall</c> beside it. Read by <see cref="Read"/>,
/// immutable, every part with its place in the file.
/// </summary>
public sealed record MergeConfig
{
    /// <summary>The file, as the user named it.</summary>
    public required string File { get; init; }

    /// <summary>The file's text: copied verbatim into the output.</summary>
    public required string Text { get; init; }

    /// <summary>Name of the merge method, as written.</summary>
    public required string Method { get; init; }

    /// <summary>Where the method stands.</summary>
    public required Place MethodPlace { get; init; }

    /// <summary>The <c>models</c> form: whole models.</summary>
    public ImmutableArray<ModelEntry> Models { get; init; } = [];

    /// <summary>The <c>slices</c> form: ranges of layers, one output slice after the other.</summary>
    public ImmutableArray<OutputSlice> Slices { get; init; } = [];

    /// <summary>The <c>modules</c> form: one of the two for each part of a multi-modal model.</summary>
    public ImmutableArray<ModuleEntry> Modules { get; init; } = [];

    /// <summary>The base model, where one is named.</summary>
    public ModelReference? BaseModel { get; init; }

    /// <summary>Parameters of the top level.</summary>
    public ParameterSet Parameters { get; init; } = ParameterSet.None;

    /// <summary>Parameters of the module, in a <c>modules</c> form that <see cref="ByModule"/> took apart.</summary>
    public ParameterSet ModuleParameters { get; init; } = ParameterSet.None;

    /// <summary>
    /// Type of the arithmetic's inputs in mergekit, and of the output unless <see cref="OutDType"/> says otherwise. Recall always computes in float32.
    /// </summary>
    public DType? DType { get; init; }

    /// <summary>Type of the output.</summary>
    public DType? OutDType { get; init; }

    /// <summary>How the output's tokenizer is made; null: the base's files are copied.</summary>
    public TokenizerConfig? Tokenizer { get; init; }

    /// <summary><c>auto</c>, the name of a template, or Jinja text.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Where <see cref="ChatTemplate"/> stands.</summary>
    public Place ChatTemplatePlace { get; init; }

    /// <summary>The model with whose representations the others are compared; default: the last model.</summary>
    public ModelReference? ReferenceModel { get; init; }

    /// <summary>Options of the method <c>recall</c>; null where the file has no such key.</summary>
    public RecallOptions? Recall { get; init; }

    /// <summary>Keys without meaning, each with its place.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];

    /// <summary>Every model that the file names, each once: the base first, then in order of appearance.</summary>
    public ImmutableArray<ModelReference> ReferencedModels
    {
        get
        {
            var models = Models.Select(entry => entry.Model)
                .Concat(Slices.SelectMany(Referenced))
                .Concat(Modules.SelectMany(module => module.Models.Select(entry => entry.Model).Concat(module.Slices.SelectMany(Referenced))));
            if (BaseModel is not null) models = models.Prepend(BaseModel);
            if (ReferenceModel is not null) models = models.Append(ReferenceModel);
            return [.. models.Distinct()];
        }
    }

    static IEnumerable<ModelReference> Referenced(OutputSlice slice) =>
        slice.Sources.Select(source => source.Model).Concat(slice.BaseModel is null ? [] : [slice.BaseModel]);

    /// <summary>
    /// The config of each module, in the form that the module holds. The <c>models</c> form goes for every module, the <c>slices</c> form for models
    /// of one module, and <c>modules</c> for those that it names.
    /// </summary>
    /// <param name="modules">The modules that the models have.</param>
    /// <exception cref="ConfigurationException">A module that the models do not have; slices of models of several modules.</exception>
    public ImmutableArray<(string Module, MergeConfig Config)> ByModule(ImmutableArray<string> modules)
    {
        string known = string.Join(", ", modules.Select(name => Quoted.Of(name)));
        if (Modules.Length == 0)
        {
            if (Slices.Length > 0 && modules.Length > 1)
                throw Slices[0].Place.Error($"these models have several modules ({known}), each with layers of its own; give the slices of each under "
                    + $"'modules': modules: {{{modules[0]}: {{slices: …}}, …}}");
            return [.. modules.Select(name => (name, this))];
        }
        foreach (var entry in Modules)
        {
            if (modules.Contains(entry.Name)) continue;
            string hint = Quoted.Nearest(entry.Name, modules) is { } near && modules.Length > 1 ? $"; did you mean {Quoted.Of(near)}?" : "";
            throw entry.Place.Error(modules.Length == 1
                ? $"these models have one module, {known}, and none named {Quoted.Of(entry.Name)}"
                : $"these models have the modules {known}, and none named {Quoted.Of(entry.Name)}{hint}");
        }
        return [.. Modules.Select(entry => (entry.Name, Of(entry)))];
    }

    /// <summary>What the config asks for a module.</summary>
    internal MergeConfig Of(ModuleEntry module) =>
        this with { Models = module.Models, Slices = module.Slices, Modules = [], ModuleParameters = module.Parameters };

    /// <summary>The same config with every model that it names, in whatever place, replaced by another one.</summary>
    internal MergeConfig WithModels(Func<ModelReference, ModelReference> change)
    {
        ModelReference? Changed(ModelReference? model) => model is null ? null : change(model);
        ImmutableArray<ModelEntry> Entries(ImmutableArray<ModelEntry> entries) =>
            [.. entries.Select(entry => entry with { Model = change(entry.Model) })];
        ImmutableArray<OutputSlice> Parts(ImmutableArray<OutputSlice> slices) =>
        [
            .. slices.Select(slice => slice with
            {
                Sources = [.. slice.Sources.Select(source => source with { Model = change(source.Model) })],
                BaseModel = Changed(slice.BaseModel),
            }),
        ];
        return this with
        {
            BaseModel = Changed(BaseModel),
            Models = Entries(Models),
            Slices = Parts(Slices),
            Modules = [.. Modules.Select(module => module with { Models = Entries(module.Models), Slices = Parts(module.Slices) })],
            Tokenizer = Tokenizer?.WithModels(change),
            ReferenceModel = Changed(ReferenceModel),
        };
    }

    /// <summary>Reads a merge file.</summary>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static MergeConfig Read(string path)
    {
        string text = YamlDocument.ReadText(path);
        return Parse(text, path);
    }

    /// <summary>Reads the text of a merge file; <paramref name="file"/> stands in messages.</summary>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static MergeConfig Parse(string text, string file) => MergeConfigReader.Read(YamlDocument.ParseMapping(text, file), text, file);

    /// <summary>
    /// Reads a merge file of bare files of weights (mergekit-pytorch): <c>merge_method</c>, <c>models</c>, <c>parameters</c>,
    /// <c>base_model</c>, <c>dtype</c>, <c>out_dtype</c>. <c>dtype</c> is the type of the output too. To be merged with
    /// <see cref="Planning.MergeOptions.Raw"/> set.
    /// </summary>
    /// <exception cref="ConfigurationException">The message begins with <c>file:line:column key.path</c>.</exception>
    public static MergeConfig ReadRaw(string path) => ParseRaw(YamlDocument.ReadText(path), path);

    /// <summary>The same from text; <paramref name="file"/> stands in messages.</summary>
    /// <inheritdoc cref="ReadRaw"/>
    public static MergeConfig ParseRaw(string text, string file) =>
        MergeConfigReader.ReadRaw(YamlDocument.ParseMapping(text, file), text, file);
}

/// <summary>A model of the <c>models</c> form.</summary>
/// <param name="Model">Which.</param>
/// <param name="Parameters">Its own parameters.</param>
/// <param name="Place">Where it stands.</param>
public sealed record ModelEntry(ModelReference Model, ParameterSet Parameters, Place Place)
{
    /// <summary>Its own texts: a data file or a task file; null: those found in its folder (<c>samples.jsonl</c>), if any.</summary>
    public string? Samples { get; init; }

    /// <summary>Its card; null: the one found in its folder (<c>card.safetensors</c>), if any.</summary>
    public string? Card { get; init; }
}

/// <summary>Layers of the output, made from as many layers of each source.</summary>
/// <param name="Sources">The sources, in order.</param>
/// <param name="BaseModel">Replaces the file's base model within the slice.</param>
/// <param name="Parameters">The slice's own parameters.</param>
/// <param name="Place">Where it stands.</param>
public sealed record OutputSlice(ImmutableArray<SliceSource> Sources, ModelReference? BaseModel, ParameterSet Parameters, Place Place);

/// <summary>Layers <paramref name="Start"/> (included) to <paramref name="End"/> (excluded) of a model.</summary>
public sealed record SliceSource(ModelReference Model, int Start, int End, ParameterSet Parameters, Place Place);

/// <summary>A part of a multi-modal model.</summary>
public sealed record ModuleEntry(string Name, ImmutableArray<ModelEntry> Models, ImmutableArray<OutputSlice> Slices, ParameterSet Parameters, Place Place);
