using System.Collections.Immutable;
using Recall.Configuration.Yaml;

namespace Recall.Configuration;

/// <summary>
/// The value of a merge parameter in mergekit's three forms: a number; a gradient over depth (a list of numbers); or a list of
/// <c>{filter, value}</c>, of which the first counts whose filter is a part of the tensor's name.
/// </summary>
public abstract record ParameterValue
{
    /// <summary>The value for a tensor, or null where no condition fits it.</summary>
    /// <param name="tensorName">The tensor's name, against which filters are held.</param>
    /// <param name="t">Depth: 0 at the first layer of the slice, 1 at the last.</param>
    public abstract double? At(string tensorName, double t);

    /// <summary>Filters that could be mistyped: those of all conditions but the catch-all.</summary>
    public virtual IEnumerable<string> Filters => [];

    /// <summary>Every number that the value holds.</summary>
    public abstract IEnumerable<double> Numbers { get; }

    internal static ParameterValue Read(YamlNode node, Place place) => node switch
    {
        YamlSequence { Items: [] } => throw place.Error("a gradient needs at least one number"),
        YamlSequence list when list.Items.Any(item => item is YamlMapping) => Conditional.Read(list, place),
        YamlMapping => throw place.Error("a condition {filter, value} must stand in a list: put '- ' in front of it"),
        _ => ReadNumbers(node, place),
    };

    static ParameterValue ReadNumbers(YamlNode node, Place place)
    {
        if (node is YamlSequence list)
            return new Gradient([.. list.Items.Select((item, i) =>
                ReadNumber(item, place with { Path = $"{place.Path}[{i}]", Line = item.Line, Column = item.Column }))]);
        return new Constant(ReadNumber(node, place));
    }

    static double ReadNumber(YamlNode node, Place place)
    {
        if (Yaml11.Number(node) is not { } number)
            throw place.Error(node is YamlScalar scalar ? $"a number is expected here, not {Quoted.Of(scalar.Text)}" : "a number is expected here");
        return double.IsFinite(number) ? number : throw place.Error($"must be a finite number, not {number}");
    }

    sealed record Constant(double Value) : ParameterValue
    {
        public override double? At(string tensorName, double t) => Value;

        public override IEnumerable<double> Numbers => [Value];
    }

    sealed record Gradient(ImmutableArray<double> Values) : ParameterValue
    {
        public override double? At(string tensorName, double t)
        {
            double position = t * (Values.Length - 1);
            int low = (int)position, high = Math.Min(Values.Length - 1, low + 1);
            double share = position - low;
            return (1 - share) * Values[low] + share * Values[high];
        }

        public override IEnumerable<double> Numbers => Values;
    }

    sealed record Conditional(ImmutableArray<(string? Filter, ParameterValue Value)> Cases) : ParameterValue
    {
        public override double? At(string tensorName, double t)
        {
            foreach (var (filter, value) in Cases)
                if (filter is null or "*" || tensorName.Contains(filter, StringComparison.Ordinal)) return value.At(tensorName, t);
            return null;
        }

        public override IEnumerable<string> Filters => Cases.Where(@case => @case.Filter is not (null or "*")).Select(@case => @case.Filter!);

        public override IEnumerable<double> Numbers => Cases.SelectMany(@case => @case.Value.Numbers);

        public static Conditional Read(YamlSequence list, Place place)
        {
            var cases = ImmutableArray.CreateBuilder<(string?, ParameterValue)>();
            for (int i = 0; i < list.Items.Length; i++)
            {
                var at = place with { Path = $"{place.Path}[{i}]", Line = list.Items[i].Line, Column = list.Items[i].Column };
                if (list.Items[i] is not YamlMapping mapping) throw at.Error("numbers and conditions {filter, value} do not mix in one list");
                var section = new YamlSection(mapping, place.File, at.Path);
                string? filter = section.TakeText("filter");
                var value = section.Take("value") ?? throw section.Missing("value");
                section.Finish();
                if (value is YamlSequence { Items: [] }) throw section.At(value, "value").Error("a gradient needs at least one number");
                cases.Add((filter, ReadNumbers(value, section.At(value, "value"))));
            }
            return new Conditional(cases.ToImmutable());
        }
    }
}

/// <summary>A parameter as it stands in the file.</summary>
/// <param name="Name">Its name, such as <c>weight</c>.</param>
/// <param name="Value">Its value.</param>
/// <param name="Place">Where it stands.</param>
public sealed record Parameter(string Name, ParameterValue Value, Place Place);

/// <summary>The <c>parameters</c> of one level of a config.</summary>
public sealed record ParameterSet(ImmutableArray<Parameter> All)
{
    /// <summary>No parameters.</summary>
    public static readonly ParameterSet None = new([]);

    /// <summary>The value of a parameter for a tensor, or null where it is not set or no condition fits.</summary>
    public double? At(string name, string tensorName, double t)
    {
        foreach (var parameter in All)
            if (parameter.Name == name) return parameter.Value.At(tensorName, t);
        return null;
    }

    internal static ParameterSet Read(YamlSection? section)
    {
        if (section is null) return None;
        var all = ImmutableArray.CreateBuilder<Parameter>();
        foreach (var entry in section.Entries)
        {
            var place = section.At(entry.Value, entry.Key);
            if (Yaml11.IsNull(entry.Value)) throw place.Error("a number, a list of numbers or a list of {filter, value} is expected here");
            all.Add(new Parameter(entry.Key, ParameterValue.Read(entry.Value, place), place with { Line = entry.Line, Column = entry.Column }));
        }
        return new ParameterSet(all.ToImmutable());
    }
}
