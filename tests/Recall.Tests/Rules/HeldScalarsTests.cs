using Mono.Cecil;
using Mono.Cecil.Cil;
using TorchSharp;
using static TorchSharp.torch;

namespace Recall.Tests.Rules;

/// <summary>
/// TorchSharp 0.107 does not hold the scalar that a call takes while libtorch reads it, so that a garbage collection frees it now and then, and the
/// call fails, or computes with another number. So no call in the library makes one on the way, nor lets TorchSharp make one: numbers are held by a
/// variable, or KeptScalars has them. Read from the compiled library, and from TorchSharp's own.
/// </summary>
public class HeldScalarsTests
{
    static readonly Lazy<HashSet<string>> MakeTheirOwn = new(() =>
    {
        using var assembly = AssemblyDefinition.ReadAssembly(typeof(Tensor).Assembly.Location);
        var methods = Methods(assembly).ToDictionary(method => method.FullName, method => Called(method).Select(call => call.FullName).ToArray());
        var found = Methods(assembly).Where(method => Called(method).Any(IsConversion)).Select(method => method.FullName).ToHashSet(StringComparer.Ordinal);
        for (int before = 0; before < found.Count;)
        {
            before = found.Count;
            found.UnionWith(methods.Where(method => method.Value.Any(found.Contains)).Select(method => method.Key).ToList());
        }
        return found;
    });

    [Fact]
    public void NoScalarIsMadeOnTheWay()
    {
        using var assembly = AssemblyDefinition.ReadAssembly(typeof(RecallException).Assembly.Location);
        string[] found = [.. Methods(assembly).SelectMany(Unheld).Distinct().Order(StringComparer.Ordinal)];
        Assert.True(found.Length == 0, string.Join('\n', found));
    }

    [Fact]
    public void WhatIsLookedForIsFound()
    {
        using var assembly = AssemblyDefinition.ReadAssembly(typeof(HeldScalarsTests).Assembly.Location);
        var type = assembly.MainModule.GetType(typeof(HeldScalarsTests).FullName);
        int Count(string name) => Unheld(type.Methods.Single(method => method.Name == name)).Count();
        Assert.Equal([1, 1, 1, 0], [Count(nameof(Times)), Count(nameof(Sum)), Count(nameof(Length)), Count(nameof(Held))]);
    }

    static Tensor Times(Tensor a) => a.mul(2.5);

    static Tensor Sum(Tensor a, Tensor b) => a + b;

    static Tensor Length(Tensor a) => linalg.vector_norm(a);

    static Tensor Held(Tensor a)
    {
        using Scalar two = 2;
        return a.mul(two) * a;
    }

    static IEnumerable<MethodDefinition> Methods(AssemblyDefinition assembly) =>
        assembly.MainModule.GetTypes().SelectMany(type => type.Methods).Where(method => method.HasBody);

    static IEnumerable<MethodReference> Called(MethodDefinition method) => method.Body.Instructions.Select(each => each.Operand).OfType<MethodReference>();

    static bool IsConversion(MethodReference method) =>
        method.Name is "op_Implicit" or "ToScalar" && method.DeclaringType.FullName is "TorchSharp.Scalar" or "TorchSharp.ScalarExtensionMethods";

    static IEnumerable<string> Unheld(MethodDefinition method)
    {
        foreach (var instruction in method.Body.Instructions)
        {
            if (instruction.Operand is not MethodReference called) continue;
            if (IsConversion(called) ? !IsStored(instruction) : MakeTheirOwn.Value.Contains(called.FullName))
                yield return $"{method.DeclaringType.FullName}.{method.Name}: {called.DeclaringType.Name}.{called.Name}";
        }
    }

    static bool IsStored(Instruction conversion) => conversion.Next.OpCode.Name.StartsWith("st", StringComparison.Ordinal);
}
