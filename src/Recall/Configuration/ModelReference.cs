using Recall.Configuration.Yaml;

namespace Recall.Configuration;

/// <summary>
/// A model as a config names it: <c>PATH[@REVISION][+ADAPTER[@REVISION]]</c>, or the object form
/// <c>{model: {path, revision}, lora: {path, revision}, override_architecture}</c>. References are equal when they mean the same:
/// <c>m</c>, <c>./m</c> and <c>m/</c> are one model.
/// </summary>
/// <param name="Model">The checkpoint.</param>
/// <param name="Lora">A PEFT adapter applied to it while it is read.</param>
/// <param name="OverrideArchitecture">A class name that replaces config.json's <c>architectures</c>.</param>
public sealed record ModelReference(ModelPath Model, ModelPath? Lora = null, string? OverrideArchitecture = null)
{
    /// <summary>Reads the text form. A text that as a whole is the path of something on disk means that, whatever <c>+</c> and <c>@</c> it holds.</summary>
    /// <exception cref="ConfigurationException">More than one <c>+</c>, or more than one <c>@</c> in a part.</exception>
    public static ModelReference Parse(string text, Func<string, ConfigurationException>? error = null)
    {
        error ??= what => new ConfigurationException(what);
        if (text.Trim().Length == 0) throw error("the name of a model is expected here");
        if (Path.Exists(text)) return new ModelReference(new ModelPath(text));
        var parts = text.Split('+');
        if (parts.Length > 2) throw error($"{Quoted.Of(text)} holds more than one '+'; MODEL+ADAPTER is expected (for a path with '+' use the object form)");
        return new ModelReference(ModelPath.Parse(parts[0], error), parts.Length == 2 ? ModelPath.Parse(parts[1], error) : null);
    }

    internal static ModelReference Read(YamlNode node, Place place)
    {
        switch (node)
        {
            case YamlScalar scalar:
                return Parse(scalar.Text, place.Error);
            case YamlMapping mapping:
                var section = new YamlSection(mapping, place.File, place.Path);
                var model = ReadPath(section, "model") ?? throw section.Missing("model");
                var reference = new ModelReference(model, ReadPath(section, "lora"), section.TakeText("override_architecture"));
                section.Finish();
                return reference;
            default:
                throw place.Error("the name of a model is expected here");
        }
    }

    static ModelPath? ReadPath(YamlSection section, string key)
    {
        switch (section.Take(key))
        {
            case null: return null;
            case YamlScalar scalar: return ModelPath.Parse(scalar.Text, section.At(scalar, key).Error);
            default:
                var inner = section.TakeSection(key)!;
                string text = inner.TakeText("path") ?? throw inner.Missing("path");
                var path = ModelPath.Checked(text, inner.TakeText("revision"), inner.Place.Error);
                inner.Finish();
                return path;
        }
    }

    /// <summary>The text form.</summary>
    public override string ToString() => Lora is null ? Model.ToString() : $"{Model}+{Lora}";
}

/// <summary>A folder, a file, or a name on the Hub, with a revision.</summary>
public sealed record ModelPath(string Path, string? Revision = null)
{
    internal static ModelPath Parse(string text, Func<string, ConfigurationException> error)
    {
        var parts = text.Trim().Split('@');
        if (parts.Length > 2 || parts[0].Length == 0) throw error($"{Quoted.Of(text)} is no model: PATH or PATH@REVISION is expected");
        return Checked(parts[0], parts.Length == 2 ? parts[1] : null, error);
    }

    internal static ModelPath Checked(string path, string? revision, Func<string, ConfigurationException> error)
    {
        if (path.Length == 0 || path.Any(char.IsControl)) throw error($"{Quoted.Of(path)} is no path");
        return new ModelPath(path, revision);
    }

    /// <summary>Same file or folder, however it is written, and the same revision.</summary>
    public bool Equals(ModelPath? other) => other is not null && Normal(Path) == Normal(other.Path) && Revision == other.Revision;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Normal(Path), Revision);

    static string Normal(string path) => System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));

    /// <summary>The text form.</summary>
    public override string ToString() => Revision is null ? Path : $"{Path}@{Revision}";
}
