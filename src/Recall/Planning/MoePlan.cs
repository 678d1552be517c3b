using System.Collections.Immutable;
using Recall.Configuration;
using Recall.Methods;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>A mixture of experts, its models opened (headers only) and checked; what its router holds is yet to come.</summary>
/// <param name="Config">What is asked.</param>
/// <param name="Options">How it is run.</param>
/// <param name="Models">The models, each once, the base first.</param>
/// <param name="Architecture">What the output is.</param>
/// <param name="Notes">What the user should know.</param>
sealed record MoePlan(
    MoeConfig Config, MergeOptions Options, ImmutableArray<OpenedModel> Models, MoeArchitecture Architecture, ImmutableArray<string> Notes)
{
    /// <summary>The model that gives everything but the experts.</summary>
    public OpenedModel Base => Models[0];

    /// <summary>Number of layers.</summary>
    public int Layers => Base.LayerCount;

    /// <summary>Width of the hidden states.</summary>
    public int Hidden => (int)Base.Checkpoint.Find(Base.Architecture.Embedding)!.Shape[1];

    /// <summary>The type of the output.</summary>
    public DType Type => Config.DType ?? Base.Checkpoint.Find(Base.Architecture.Embedding)!.DType;

    /// <summary>The experts that have a row in a router, or a gate: the shared ones behind the others.</summary>
    public ImmutableArray<MoeExpert> Routed => Architecture.SharedGate ? [.. Config.AllExperts] : Config.Experts;

    /// <summary>Opens and checks the models.</summary>
    /// <exception cref="RecallException">A model is missing or broken, or does not fit; nothing has been written.</exception>
    public static MoePlan Make(MoeConfig config, MergeOptions options)
    {
        var references = config.AllExperts.Select(expert => expert.Model).Prepend(config.BaseModel).Distinct();
        var models = references.Select(OpenedModel.Open).ToImmutableArray();
        models = [.. models.Select(model => model.NamedAs(models[0].Architecture))];
        var architecture = MoeArchitecture.Choose(config, models);
        var notes = config.Notes.ToList();
        int count = config.Experts.Length;
        if (!int.IsPow2(count))
            notes.Add($"{count} experts: not a power of two, which some programs expect");
        bool draws = config.GateMode is GateMode.Random or GateMode.UniformRandom || config.AllExperts.Any(expert => expert.NoiseScale > 0);
        if (options.SeedIsGiven && !draws)
            notes.Add($"--random-seed {options.Seed}: without effect: neither router nor noise is drawn");
        var plan = new MoePlan(config, options, models, architecture, []);
        MoeCheck.Check(plan, notes);
        return plan with { Notes = [.. notes] };
    }

    /// <summary>The model of an expert, as <see cref="Models"/> counts.</summary>
    public int ModelOf(MoeExpert expert) => OpenedModel.IndexOf(Models, expert.Model);

    /// <summary>Router rows by chance: for each layer those of <see cref="Routed"/>, [experts, hidden].</summary>
    public ImmutableArray<float[]> DrawRows() =>
    [
        .. Enumerable.Range(0, Layers).Select(layer =>
        {
            var rows = new float[Routed.Length * Hidden];
            var random = new CounterRandom(Options.Seed, Base.Architecture.LayerTensor(layer, MoeTensors.Router), 0);
            if (Config.GateMode == GateMode.Random) random.AddNormal(0, 1, rows);
            else
                for (int i = 0; i < rows.Length; i++) rows[i] = (float)(((random[i] + 0.5) / 2147483648.0 - 1) / Math.Sqrt(Hidden));
            return rows;
        }),
    ];

    /// <summary>The whole plan, to be run as any merge.</summary>
    /// <param name="rows">For each layer the router rows of <see cref="Routed"/>, [experts, hidden].</param>
    /// <param name="remarks">What is to be known of the rows.</param>
    public MergePlan ToMergePlan(ImmutableArray<float[]> rows, IEnumerable<string> remarks)
    {
        var notes = Notes.Concat(remarks).ToList();
        var (tensors, shards) = OutputLayout.Make(new MoeTensors(this, rows).All(), Options.ShardBytes);
        var config = new MergeConfig
        {
            File = Config.File,
            Text = Config.Text,
            Method = "moe",
            MethodPlace = Config.Place,
            BaseModel = Config.BaseModel,
            Models = [.. Config.AllExperts.Select(expert => new ModelEntry(expert.Model, ParameterSet.None, expert.Place))],
            DType = Config.DType,
        };
        var plan = new MergePlan
        {
            Config = config,
            Options = Options,
            Method = new MixtureOfExperts(),
            Models = Models,
            Donor = Base,
            Tensors = tensors,
            Shards = shards,
            OutputConfig = [],
            Files = OutputFiles.Make(config, Options, Models, null, notes),
            LayerCount = Layers,
            ConfigName = "mergekit_moe_config.yml",
            Notes = [],
            Cost = MergeCost.Of(tensors, shards, null, Options),
        };
        var output = OutputConfig.Make(plan, [], notes);
        MoeOutputConfig.Change(output, this, notes);
        return plan with { OutputConfig = output, Notes = [.. notes] };
    }
}
