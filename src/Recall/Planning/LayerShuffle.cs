using System.Collections.Immutable;
using System.Text;
using Recall.Configuration;
using Recall.Configuration.Yaml;
using Recall.Numerics;

namespace Recall.Planning;

/// <summary>
/// A model whose layers are drawn from several models (mergekit-layershuffle); <see cref="ToYaml"/> makes the merge file.
/// </summary>
/// <param name="Models">The models.</param>
/// <param name="Weights">
/// How likely each is to give a layer (empty: all alike); with <see cref="FullRandom"/> how many layers it gives, as a share of its own.
/// </param>
sealed record LayerShuffle(ImmutableArray<string> Models, ImmutableArray<double> Weights)
{
    const int MostLayers = 10_000;

    /// <summary>False, the default: layer i of the output is layer i of a drawn model. True: any layers, in any order.</summary>
    public bool FullRandom { get; init; }

    /// <summary>Writes float16.</summary>
    public bool Float16 { get; init; }

    /// <summary>Same seed, same layers.</summary>
    public long Seed { get; init; }

    /// <summary>Draws the layers. Of the models only the headers are read.</summary>
    /// <exception cref="RecallException">A model that is not there, weights that do not fit, models of different depth.</exception>
    public string ToYaml()
    {
        if (Models.Length == 0) throw new ConfigurationException("no model is named; name each by --model");
        if (Weights.Length > 0 ? Weights.Length != Models.Length : FullRandom)
            throw new ConfigurationException($"{Weights.Length} weights are given for {Models.Length} models; "
                + "give --weight once for each --model");
        if (Weights.Any(weight => !double.IsFinite(weight) || weight < 0) || (Weights.Length > 0 && Weights.Sum() <= 0))
            throw new ConfigurationException("weights are numbers of 0 and more, and not all are 0");
        var opened = Models.Select(model => OpenedModel.Open(ModelReference.Parse(model))).ToImmutableArray();
        var layers = FullRandom ? AnyLayers(opened) : SameLayers(opened);
        var yaml = new StringBuilder($"# Layers drawn with seed {Seed}\nmerge_method: passthrough\nslices:\n");
        foreach (var (model, start, end) in layers)
            yaml.Append($"  - sources: [{{model: {YamlText.Of(Models[model])}, layer_range: [{start}, {end}]}}]\n");
        if (Float16) yaml.Append("dtype: float16\n");
        return yaml.ToString();
    }

    List<(int Model, int Start, int End)> SameLayers(ImmutableArray<OpenedModel> models)
    {
        foreach (var model in models)
        {
            if (model.LayerCount == models[0].LayerCount) continue;
            throw new ConfigurationException(
                $"{model.Name} has {model.LayerCount} layers, {models[0].Name} has {models[0].LayerCount}; "
                + "models of different depth mix only with --full-random");
        }
        var random = new CounterRandom(Seed, "layershuffle", 0);
        var layers = new List<(int Model, int Start, int End)>();
        for (int layer = 0; layer < models[0].LayerCount; layer++)
        {
            int drawn = Draw(random[layer] / 4294967296.0);
            if (layers.Count > 0 && layers[^1].Model == drawn) layers[^1] = layers[^1] with { End = layer + 1 };
            else layers.Add((drawn, layer, layer + 1));
        }
        return layers;
    }

    /// <summary>The model in whose part of all weights a number from 0 to 1 falls.</summary>
    int Draw(double number)
    {
        if (Weights.IsEmpty) return (int)(number * Models.Length);
        double rest = number * Weights.Sum();
        int last = 0;
        for (int i = 0; i < Weights.Length; i++)
        {
            if (Weights[i] == 0) continue;
            last = i;
            if (rest < Weights[i]) break;
            rest -= Weights[i];
        }
        return last;
    }

    List<(int Model, int Start, int End)> AnyLayers(ImmutableArray<OpenedModel> models)
    {
        var layers = new List<(int Model, int Start, int End)>();
        for (int i = 0; i < models.Length; i++)
        {
            double count = Math.Floor(models[i].LayerCount * Weights[i]);
            if (layers.Count + count > MostLayers)
                throw new ConfigurationException($"weight {YamlText.Of(Weights[i])} of {models[i].Name} asks for more than {MostLayers} layers");
            var random = new CounterRandom(Seed, "layershuffle", i + 1);
            for (int drawn = 0; drawn < count; drawn++)
            {
                int layer = Below(random[drawn], models[i].LayerCount);
                layers.Add((i, layer, layer + 1));
            }
        }
        if (layers.Count == 0)
            throw new ConfigurationException("these weights give no layer at all: a weight of 0.5 takes half as many layers as the model has");
        var order = new CounterRandom(Seed, "layershuffle order", 0);
        for (int i = layers.Count - 1; i > 0; i--)
        {
            int other = Below(order[i], i + 1);
            (layers[i], layers[other]) = (layers[other], layers[i]);
        }
        return layers;
    }

    static int Below(uint random, int count) => (int)(((ulong)random * (ulong)count) >> 32);
}
