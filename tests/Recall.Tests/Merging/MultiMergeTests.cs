using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Tests.Mergekit;

namespace Recall.Tests.Merging;

/// <summary>Files of several merges that are made of each other.</summary>
public sealed class MultiMergeTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    string A => TinyModel.Write(_folder["a"], 1, DType.F32);

    string Parts => _folder["parts"];

    MultiPlan Plan(string text, string output = "out", bool lazy = true) =>
        MultiPlan.Make(MultiConfig.Parse(text, "chain.yaml"), new MergeOptions { Output = output.Length == 0 ? "" : _folder[output] }, Parts, lazy);

    static void Run(MultiPlan plan)
    {
        foreach (var step in plan.Steps)
            if (step.Forecast is not null) MergeRun.Run(step.Plan());
    }

    string Refused(string text, string output = "out", bool lazy = true)
    {
        var error = Assert.ThrowsAny<RecallException>(() => Run(Plan(text, output, lazy)));
        Assert.False(Directory.Exists(_folder["out"]), "something was written");
        return error.Message;
    }

    static string Doubled(string model, string? name = null) =>
        (name is null ? "" : $"name: {name}\n") + $"merge_method: linear\nmodels: [{{model: {model}, parameters: {{weight: 2}}}}]\nparameters: {{normalize: false}}\n";

    float Value(string model) => MergekitCase.Values(Recall.Checkpoints.Checkpoint.Open(model).Find("model.norm.weight")!)[0];

    [Fact]
    public void DocumentsAreBuiltInTheOrderInWhichTheyNeedEachOther()
    {
        // The result comes first in the file, and what it needs last.
        string text = $"{Doubled("second")}---\n{Doubled("first", "second")}---\n{Doubled(A, "first")}---\n";
        var plan = Plan(text);
        Assert.Equal(["first", "second", null], plan.Steps.Select(step => step.Name));
        Run(plan);
        Assert.Equal(8 * Value(_folder["a"]), Value(_folder["out"]), 1e-6f);
        // Each output holds its own document.
        string config = File.ReadAllText(_folder["parts", "second", "mergekit_config.yml"]);
        Assert.Contains("name: second", config);
        Assert.DoesNotContain("name: first", config);
    }

    [Fact]
    public void ModelsAreFoundByNameWhereverAModelMayStand()
    {
        string b = TinyModel.Write(_folder["b"], 2, DType.F32);
        string text = $"{Doubled(A, "start")}---\nname: x/y\nmerge_method: task_arithmetic\nbase_model: start\nmodels: [{{model: {b}, parameters: {{weight: 0}}}}]\n"
            + "---\nmerge_method: passthrough\nslices: [{sources: [{model: x/y, layer_range: [0, 2]}]}]\n";
        Run(Plan(text));
        Assert.Equal(2 * Value(_folder["a"]), Value(_folder["out"]), 1e-6f);
        Assert.Equal(2, (int)Recall.Checkpoints.Checkpoint.ReadConfig(_folder["out", "config.json"])["num_hidden_layers"]!);
    }

    [Fact]
    public void WhatIsThereIsKeptAndMadeAgainOnlyWhenAsked()
    {
        string text = $"{Doubled(A, "first")}---\n{Doubled("first", "second")}";
        Run(Plan(text, ""));
        var before = File.GetLastWriteTimeUtc(_folder["parts", "second", "model.safetensors"]);
        Assert.All(Plan(text, "").Steps, step => Assert.Null(step.Forecast));

        Directory.Delete(_folder["parts", "first"], recursive: true);
        var plan = Plan(text, "");
        Assert.Contains("is kept as it is, though", Assert.Single(plan.Notes));
        Run(plan);
        Assert.Equal(before, File.GetLastWriteTimeUtc(_folder["parts", "second", "model.safetensors"]));

        plan = Plan(text, "", lazy: false);
        Assert.All(plan.Steps, step => Assert.True(step.Replaces));
        Run(plan);
        Assert.NotEqual(before, File.GetLastWriteTimeUtc(_folder["parts", "second", "model.safetensors"]));
    }

    [Fact]
    public void AChainThatWasStoppedGoesOnWhereItWas()
    {
        string text = $"{Doubled(A, "first")}---\n{Doubled("first")}";
        MergeRun.Run(Plan(text).Steps[0].Plan());
        var plan = Plan(text);
        Assert.Equal([true, false], plan.Steps.Select(step => step.Forecast is null));
        Run(plan);
        Assert.Equal(4 * Value(_folder["a"]), Value(_folder["out"]), 1e-6f);
        Assert.All(Plan(text).Steps, step => Assert.Null(step.Forecast));
    }

    [Fact]
    public void AModelOfAnotherConfigIsNotTakenForTheResult()
    {
        Run(Plan(Doubled(A, "first"), ""));
        string other = $"{Doubled(A, "first").Replace("weight: 2", "weight: 3")}---\n{Doubled("first")}";
        string message = Refused(other);
        Assert.Contains("chain.yaml:1:7 name:", message);
        Assert.Contains("made by another config; --no-lazy makes it anew", message);
        Run(Plan(other, lazy: false));
        Assert.Equal(6 * Value(_folder["a"]), Value(_folder["out"]), 1e-6f);
    }

    [Fact]
    public void WhatRecallDidNotWriteIsNotReplaced()
    {
        string text = Doubled(A, "first") + "---\n" + Doubled("first");
        Directory.CreateDirectory(Parts);
        TinyModel.Write(_folder["parts", "first"], 3);
        Assert.Contains("will not delete", Refused(text, lazy: false));
        Directory.Delete(_folder["parts", "first"], recursive: true);
        Run(Plan(Doubled(A, "first"), ""));
        File.WriteAllText(_folder["parts", "first", "notes.odt"], "mine");
        Assert.Contains("holds 'notes.odt' beside the model", Refused(text, lazy: false));
        Assert.True(File.Exists(_folder["parts", "first", "config.json"]));
    }

    [Fact]
    public void AnErrorInALaterDocumentIsFoundBeforeTheFirstIsRun()
    {
        string deep = $"{Doubled(A, "first")}---\nmerge_method: passthrough\nslices: [{{sources: [{{model: first, layer_range: [0, 9]}}]}}]\n";
        Assert.Contains("layer_range [0, 9] goes beyond the 3 layers", Refused(deep));
        Assert.False(Directory.Exists(Parts));
        string wide = TinyModel.Write(_folder["wide"], 2, hidden: 32);
        Assert.Contains("the shapes differ", Refused(
            $"{Doubled(A, "first")}---\nmerge_method: linear\nmodels: [{{model: first, parameters: {{weight: 1}}}}, {{model: {wide}, parameters: {{weight: 1}}}}]\n"));
        Assert.False(Directory.Exists(Parts));
    }

    [Fact]
    public void DocumentsInACircleAreRefused()
    {
        string message = Refused($"{Doubled("b", "a")}---\n{Doubled("c", "b")}---\n{Doubled("a", "c")}");
        Assert.Equal("chain.yaml:1:7 name: these merges need each other in a circle: 'a' needs 'b' needs 'c' needs 'a'", message);
    }

    [Fact]
    public void ADocumentThatRefersToItselfIsRefused() =>
        Assert.Equal("chain.yaml:1:7 name: the merge 'a' refers to itself", Refused($"{Doubled("a", "a")}---\n{Doubled("a")}"));

    [Fact]
    public void NamesThatAreThereTwiceAreRefused() =>
        Assert.Equal("chain.yaml:6:7 name: the document in line 1 has the name 'a' too", Refused($"{Doubled(A, "a")}---\n{Doubled(A, "a")}"));

    [Fact]
    public void OneDocumentAtMostIsWithoutAName() =>
        Assert.Equal(
            "chain.yaml:5:1: the document in line 1 has no name either; one at most gives the result, the others need a 'name'",
            Refused($"{Doubled(A)}---\n{Doubled(A)}"));

    [Fact]
    public void ADocumentWithoutANameNeedsAnOutput() =>
        Assert.Contains("chain.yaml:6:1: this document has no name, and no output folder", Refused($"{Doubled(A, "a")}---\n{Doubled("a")}", ""));

    [Fact]
    public void AMistypedNameOfADocumentIsNamedWithTheNearOne() =>
        Assert.Equal(
            "chain.yaml:7:10 models[0]: there is neither a model nor a document 'frist'; did you mean 'first'?",
            Refused($"{Doubled(A, "first")}---\n{Doubled("frist")}"));

    [Theory]
    [InlineData("parts")]
    [InlineData(".")]
    [InlineData("parts/first")]
    [InlineData("parts/first/deeper")]
    public void FoldersThatLieInOneAnotherAreRefused(string output)
    {
        string message = Assert.Throws<RecallException>(() => Plan($"{Doubled(A, "first")}---\n{Doubled("first")}", output)).Message;
        Assert.Contains("lie in one another", message);
        Assert.False(Directory.Exists(Parts));
    }

    [Theory]
    [InlineData("../x", "cannot be the name of a folder")]
    [InlineData("/x", "cannot be the name of a folder")]
    [InlineData(".", "cannot be the name of a folder")]
    [InlineData("'a\\b'", "cannot be the name of a folder")]
    public void ANameThatLeadsElsewhereIsRefused(string name, string what) => Assert.Contains(what, Refused(Doubled(A, name)));

    [Fact]
    public void AFolderWithinThatOfAnotherDocumentIsRefused() =>
        Assert.Contains("would lie within that of the document 'a'", Refused($"{Doubled(A, "a")}---\n{Doubled(A, "a/b")}"));

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("---\n---\n", "is empty")]
    [InlineData("- 1\n", "keys and values are expected")]
    [InlineData("name: a\n", "key 'merge_method' is missing")]
    public void WhatIsNoChainIsRefused(string text, string what) => Assert.Contains(what, Refused(text));

    public void Dispose() => _folder.Dispose();
}
