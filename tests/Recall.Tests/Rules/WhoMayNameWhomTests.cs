using Mono.Cecil;

namespace Recall.Tests.Rules;

/// <summary>
/// Folders are stages of the way that data takes, and a stage names only those before it. Read from the compiled library: every type that a type
/// mentions in its bases, members and code.
/// </summary>
public class WhoMayNameWhomTests
{
    /// <summary>A new folder gets a row here. Every stage may name itself; MergeRun, in the root, may name all.</summary>
    static readonly Dictionary<string, string[]> MayName = new()
    {
        ["Numerics"] = [],
        ["Configuration"] = ["Numerics"],
        ["Checkpoints"] = ["Numerics"],
        ["Templates"] = [],
        ["Tokenization"] = ["Numerics", "Checkpoints", "Templates"],
        ["Data"] = ["Numerics", "Configuration", "Checkpoints", "Templates"],
        ["Methods"] = ["Numerics", "Checkpoints"],
        ["Planning"] = ["Numerics", "Configuration", "Checkpoints", "Tokenization", "Methods"],
        ["Streaming"] = ["Numerics", "Configuration", "Checkpoints", "Methods", "Planning"],
        ["Representations"] = ["Numerics", "Configuration", "Checkpoints", "Templates", "Tokenization", "Data"],
        ["Alignment"] = ["Numerics", "Configuration", "Checkpoints", "Tokenization", "Data", "Methods", "Planning", "Streaming", "Representations"],
        ["Extraction"] = ["Numerics", "Configuration", "Checkpoints", "Tokenization", "Methods", "Planning", "Streaming", "Representations", "Alignment"],
        ["TokenSurgery"] = ["Numerics", "Configuration", "Checkpoints", "Tokenization", "Methods", "Planning", "Representations"],
        ["Training"] = ["Numerics", "Configuration", "Checkpoints", "Templates", "Tokenization", "Data", "Planning", "Representations", "Alignment"],
        ["Evaluation"] = ["Numerics", "Configuration", "Checkpoints", "Templates", "Tokenization", "Data", "Planning", "Representations"],
        ["Reporting"] = ["Numerics", "Configuration", "Checkpoints", "Methods", "Planning", "Streaming", "Representations"],
    };

    /// <summary>So that a merge without representations never loads libtorch.</summary>
    static readonly string[] MayNameTorch = ["Representations", "Alignment", "Extraction", "TokenSurgery", "Training", "Evaluation"];

    const string Root = "";

    static readonly List<(string Type, string Stage, HashSet<(string Namespace, string Type)> Named)> Types = Read();

    [Fact]
    public void EveryFolderHasItsRow()
    {
        var stages = Types.Select(type => type.Stage).Where(stage => stage != Root).Distinct().ToList();
        Assert.Contains("Numerics", stages);
        foreach (string stage in stages)
            Assert.True(MayName.ContainsKey(stage), $"src/Recall/{stage} is new: give it a row in {nameof(WhoMayNameWhomTests)} that says whom it may name");
    }

    [Fact]
    public void StagesNameOnlyThoseBeforeThem()
    {
        var wrong = from type in Types
                    where type.Stage != Root && MayName.ContainsKey(type.Stage)
                    from named in type.Named
                    let stage = StageOf(named.Namespace)
                    where stage is not null && stage != type.Stage && stage != Root && !MayName[type.Stage].Contains(stage)
                    select $"{type.Stage}: {type.Type} names {stage}.{named.Type}";
        Assert.Empty(wrong.Distinct().Order());
    }

    [Fact]
    public void StagesNameOnlyWordsOfTheRootThatNameNobody()
    {
        var above = Types.Where(type => type.Stage == Root && type.Named.Any(named => StageOf(named.Namespace) is not (null or Root)))
            .Select(type => type.Type).ToHashSet(StringComparer.Ordinal);
        var wrong = from type in Types
                    where type.Stage != Root
                    from named in type.Named
                    where named.Namespace == "Recall" && above.Contains(named.Type)
                    select $"{type.Stage}: {type.Type} names {named.Type}, which stands above it";
        Assert.Empty(wrong.Distinct().Order());
    }

    [Fact]
    public void OnlyForwardPassesAndTrainingNameTorchSharp()
    {
        var wrong = from type in Types
                    where type.Stage != Root && !MayNameTorch.Contains(type.Stage)
                    from named in type.Named
                    where named.Namespace == "TorchSharp" || named.Namespace.StartsWith("TorchSharp.", StringComparison.Ordinal)
                    select $"{type.Stage}: {type.Type} names TorchSharp's {named.Type}";
        Assert.Empty(wrong.Distinct().Order());
    }

    [Fact]
    public void FileFormatsDoNotNameOneAnotherButAdaptersAreSafetensors()
    {
        string[] formats = ["Safetensors", "Gguf", "Pickle", "Lora", "Hub"];
        using var module = Open();
        var wrong = from type in Outermost(module)
                    let format = FormatOf(type.Namespace)
                    where format is not null
                    from named in Named(type)
                    let other = FormatOf(named.Namespace)
                    where other is not null && other != format && (format, other) != ("Lora", "Safetensors")
                    select $"{format}: {type.Name} names {other}.{named.Type}";
        Assert.Empty(wrong.Distinct().Order());

        string? FormatOf(string name) => formats.FirstOrDefault(format => name == $"Recall.Checkpoints.{format}");
    }

    /// <summary>The folder under src/Recall; empty for the root, null outside the library.</summary>
    static string? StageOf(string name) => name == "Recall" ? Root : name.StartsWith("Recall.", StringComparison.Ordinal) ? name.Split('.')[1] : null;

    static ModuleDefinition Open() => ModuleDefinition.ReadModule(typeof(RecallException).Assembly.Location);

    static IEnumerable<TypeDefinition> Outermost(ModuleDefinition module) => module.Types.Where(type => StageOf(type.Namespace) is not null);

    static List<(string, string, HashSet<(string, string)>)> Read()
    {
        using var module = Open();
        return [.. Outermost(module).Select(type => (type.Name, StageOf(type.Namespace)!, Named(type)))];
    }

    static HashSet<(string Namespace, string Type)> Named(TypeDefinition type)
    {
        var named = new HashSet<(string, string)>();
        var references = new Stack<TypeReference?>();
        foreach (var part in WithNested(type))
        {
            references.Push(part.BaseType);
            foreach (var item in part.Interfaces) references.Push(item.InterfaceType);
            foreach (var field in part.Fields) references.Push(field.FieldType);
            foreach (var method in part.Methods)
            {
                PushSignature(method);
                if (!method.HasBody) continue;
                foreach (var variable in method.Body.Variables) references.Push(variable.VariableType);
                foreach (var instruction in method.Body.Instructions)
                {
                    if (instruction.Operand is TypeReference operand) references.Push(operand);
                    if (instruction.Operand is FieldReference field) { references.Push(field.DeclaringType); references.Push(field.FieldType); }
                    if (instruction.Operand is MethodReference called) { references.Push(called.DeclaringType); PushSignature(called); }
                }
            }
        }
        while (references.TryPop(out var reference))
        {
            if (reference is null or GenericParameter) continue;
            if (reference is GenericInstanceType generic)
                foreach (var argument in generic.GenericArguments) references.Push(argument);
            if (reference is TypeSpecification specification) { references.Push(specification.ElementType); continue; }
            while (reference.DeclaringType is { } outer) reference = outer;
            named.Add((reference.Namespace, reference.Name));
        }
        return named;

        void PushSignature(MethodReference method)
        {
            references.Push(method.ReturnType);
            foreach (var parameter in method.Parameters) references.Push(parameter.ParameterType);
            if (method is GenericInstanceMethod generic)
                foreach (var argument in generic.GenericArguments) references.Push(argument);
        }
    }

    static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) => type.NestedTypes.SelectMany(WithNested).Prepend(type);
}
