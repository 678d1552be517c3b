using System.Collections.Immutable;
using Recall.Configuration;
using Recall.Methods;

namespace Recall.Planning;

/// <summary>
/// The value of each parameter for a tensor: the source's own, else the slice's, else the module's, else that of the top level, else the
/// method's default. A level whose conditions do not fit the tensor has no value. Only the source's level is asked for the input's name.
/// </summary>
sealed class ParameterLookup(MergeConfig config, MergeMethod method, ImmutableArray<OpenedModel> models, bool weighted)
{
    /// <summary>Checks the names of all parameters: a mistyped one is an error, one without meaning to the method is noted.</summary>
    public IEnumerable<string> CheckNames()
    {
        var own = method.Parameters.Select(parameter => parameter.Name).ToList();
        var others = MethodTable.All.SelectMany(other => other.Parameters).Select(parameter => parameter.Name).Append("int8_mask").ToHashSet();
        foreach (var parameter in All)
        {
            if (own.Contains(parameter.Name)) continue;
            if (!others.Contains(parameter.Name) && Quoted.Nearest(parameter.Name, own) is { } meant)
                throw parameter.Place.Error($"unknown parameter {Quoted.Of(parameter.Name)}; did you mean '{meant}'?");
            yield return parameter.Place.Message($"parameter {Quoted.Of(parameter.Name)} has no meaning to the method {method.Name} and is ignored");
        }
    }

    /// <summary>The inputs with the values of all parameters.</summary>
    /// <param name="inputs">The tensor.</param>
    /// <param name="slice">The slice that it belongs to.</param>
    /// <param name="sources">The source of each input.</param>
    /// <param name="sourceNames">The name of the tensor in each source.</param>
    /// <param name="t">Depth in the slice, from 0 to 1.</param>
    public TensorInputs Fill(
        TensorInputs inputs, PlannedSlice slice, ImmutableArray<PlannedSource> sources, ImmutableArray<string> sourceNames, double t)
    {
        var values = ImmutableDictionary.CreateBuilder<string, double>();
        var perModel = ImmutableDictionary.CreateBuilder<string, ImmutableArray<double>>();
        foreach (var parameter in method.Parameters)
        {
            if (!parameter.PerModel)
            {
                double value = Shared(parameter, slice, inputs.Name, t) ?? Default(parameter)
                    ?? throw Missing(parameter, $"the method {method.Name} needs parameter '{parameter.Name}' (for {inputs.Name}); set it under "
                        + "parameters at the top level");
                values.Add(parameter.Name, Checked(parameter, value));
                continue;
            }
            var each = ImmutableArray.CreateBuilder<double>();
            for (int i = 0; i < sources.Length; i++)
            {
                double? value = sources[i].Parameters.At(parameter.Name, sourceNames[i], t)
                    ?? Shared(parameter, slice, sourceNames[i], t) ?? Default(parameter);
                bool isBase = i == inputs.BaseIndex && method.Base != BaseUse.Ignored;
                if (value is null && !isBase)
                    throw new ConfigurationException(sources[i].Describe(
                        $"the method {method.Name} needs parameter '{parameter.Name}' of {models[sources[i].Model].Name} (for {inputs.Name}); set it "
                            + "under the model's parameters, or at the top level"));
                each.Add(Checked(parameter, value ?? double.NaN));
            }
            perModel.Add(parameter.Name, each.ToImmutable());
        }
        return inputs with { Values = values.ToImmutable(), PerModel = perModel.ToImmutable() };
    }

    /// <summary>Filters that fit none of the names: likely mistyped.</summary>
    public IEnumerable<string> UnusedFilters(IReadOnlyCollection<string> tensorNames)
    {
        foreach (var parameter in All)
            foreach (string filter in parameter.Value.Filters)
                if (!tensorNames.Any(name => name.Contains(filter, StringComparison.Ordinal)))
                    yield return parameter.Place.Message($"filter {Quoted.Of(filter)} fits no tensor; filters are parts of tensor names, such as "
                        + "self_attn or mlp.down_proj");
    }

    IEnumerable<Parameter> All => config.Models.Select(entry => entry.Parameters)
        .Concat(config.Slices.SelectMany(slice => slice.Sources.Select(source => source.Parameters).Append(slice.Parameters)))
        .Append(config.ModuleParameters).Append(config.Parameters).SelectMany(set => set.All);

    double? Shared(MethodParameter parameter, PlannedSlice slice, string tensorName, double t) =>
        slice.Parameters.At(parameter.Name, tensorName, t) ?? config.ModuleParameters.At(parameter.Name, tensorName, t)
            ?? config.Parameters.At(parameter.Name, tensorName, t);

    // In a merge by representations the weights (and slerp's t) come from the layers.
    double? Default(MethodParameter parameter) =>
        parameter.Optional || (weighted && parameter.Name is "weight" or "t") ? parameter.Default ?? double.NaN : parameter.Default;

    double Checked(MethodParameter parameter, double value)
    {
        if (parameter.Flag && value is not (0 or 1)) throw Missing(parameter, $"parameter '{parameter.Name}' is true or false, not {value:R}");
        if (parameter.Whole && value != Math.Floor(value)) throw Missing(parameter, $"parameter '{parameter.Name}' is a whole number, not {value:R}");
        return value;
    }

    ConfigurationException Missing(MethodParameter parameter, string what) =>
        config.Parameters.All.FirstOrDefault(set => set.Name == parameter.Name) is { } set ? set.Place.Error(what) : config.MethodPlace.Error(what);
}
