using System.Text.Json.Nodes;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Numerics;
using Recall.Planning;
using Recall.Tests.Mergekit;
using Recall.Tests.Merging;

namespace Recall.Tests.Planning;

/// <summary>Models with different vocabularies become one, row by row; what cannot is refused in the plan, with its place in the
/// config.</summary>
public sealed class OutputVocabularyTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    MergeOptions To => new() { Output = _folder["out"] };

    string Model(string name, int seed, string letters, params string[] added)
    {
        TinyModel.Write(_folder[name], seed, DType.F32, vocabulary: letters.Length + added.Length);
        return TinyTokenizer.Write(_folder[name], letters, added);
    }

    static MergeConfig Config(string tokenizer, string more = "", string method = "linear", params string[] models)
    {
        string list = string.Concat(models.Select(model => $"  - {{model: {model}, parameters: {{weight: 1}}}}\n"));
        return MergeConfig.Parse($"merge_method: {method}\nmodels:\n{list}{tokenizer}\n{more}\n", "merge.yaml");
    }

    MergePlan Plan(string tokenizer, params string[] models) => MergePlan.Make(Config(tokenizer, models: models), To);

    string Refused(string tokenizer, params string[] models)
    {
        var error = Assert.ThrowsAny<RecallException>(() => MergeRun.Run(Config(tokenizer, models: models), To));
        Assert.False(Directory.Exists(_folder["out"]), "something was written");
        return error.Message;
    }

    static float[][] Rows(string model, string tensor = "model.embed_tokens.weight")
    {
        var values = MergekitCase.Values(Checkpoint.Open(model).Find(tensor)!);
        return [.. values.Chunk(TinyModel.Hidden)];
    }

    [Fact]
    public void AUnionKeepsEveryTokensRow()
    {
        string a = Model("a", 1, "xyz", "<s>"), b = Model("b", 2, "zyxw", "<t>");
        MergeRun.Run(Config("tokenizer: {source: union, pad_to_multiple_of: 8}", models: [a, b]), To);
        foreach (string tensor in (string[])["model.embed_tokens.weight", "lm_head.weight"])
        {
            var (rowsA, rowsB, rows) = (Rows(a, tensor), Rows(b, tensor), Rows(_folder["out"], tensor));
            Assert.Equal(8, rows.Length);
            // x y z <s> | w <t>: those of both are averaged, those of one kept, the rest is their mean.
            float[][] expected = [Mean(rowsA[0], rowsB[2]), Mean(rowsA[1], rowsB[1]), Mean(rowsA[2], rowsB[0]), rowsA[3], rowsB[3], rowsB[4]];
            for (int i = 0; i < 6; i++) Assert.Equal(expected[i], rows[i]);
            for (int j = 0; j < TinyModel.Hidden; j++) Assert.Equal(expected.Average(row => row[j]), rows[7][j], 1e-6f);
        }
        Assert.Equal(8, (int)Checkpoint.ReadConfig(_folder["out", "config.json"])["vocab_size"]!);
        var tokenizer = Recall.Tokenization.Tokenizer.Load(Checkpoint.Open(_folder["out"]));
        Assert.Equal(["x", "y", "z", "<s>", "w", "<t>"], Enumerable.Range(0, 6).Select(tokenizer.TokenOf));
        Assert.Equal([0, 3, 5], tokenizer.Encode("x<s><t>"));
    }

    static float[] Mean(float[] a, float[] b) => [.. a.Zip(b, (x, y) => (x + y) / 2)];

    [Fact]
    public void NumbersOfSpecialTokensFollowThem()
    {
        string a = Model("a", 1, "xy", "<s>", "</s>"), b = Model("b", 2, "yx", "</s>");
        var json = Checkpoint.ReadConfig(Path.Combine(a, "config.json"));
        json["bos_token_id"] = 2;
        json["eos_token_id"] = new JsonArray(3);
        json["pad_token_id"] = -1;
        File.WriteAllText(Path.Combine(a, "config.json"), json.ToJsonString());
        File.WriteAllText(Path.Combine(a, "generation_config.json"), """{"eos_token_id":3,"temperature":0.5}""");
        var plan = Plan($"tokenizer_source: {b}", a, b);
        Assert.Null(plan.OutputConfig["bos_token_id"]);
        Assert.Equal("[2]", plan.OutputConfig["eos_token_id"]!.ToJsonString());
        Assert.Equal(-1, (int)plan.OutputConfig["pad_token_id"]!);
        Assert.Contains("config.json: bos_token_id was 2, which is no token in the output's vocabulary", plan.Notes);
        var generation = JsonNode.Parse(plan.Files.Single(file => file.Name == "generation_config.json").Read().Span)!;
        Assert.Equal((2, 0.5), ((int)generation["eos_token_id"]!, (double)generation["temperature"]!));
        Assert.DoesNotContain(Plan("tokenizer_source: union", a, b).Notes, note => note.Contains("token_id"));
    }

    [Fact]
    public void ModelsThatAgreeAreLeftAsTheyAre()
    {
        string a = Model("a", 1, "xyz"), b = Model("b", 2, "xyz");
        var plan = Plan("tokenizer_source: union", a, b);
        Assert.All(plan.Tensors.SelectMany(tensor => tensor.Sources), source => Assert.IsType<StoredTensor>(source));
        Assert.Equal(File.ReadAllBytes(Path.Combine(a, "tokenizer.json")), plan.Files.Single(file => file.Name == "tokenizer.json").Read().ToArray());
    }

    [Fact]
    public void AModelWithoutTokenizerHasTheBases()
    {
        string a = Model("a", 1, "xyz"), b = Model("b", 2, "xyz");
        File.Delete(Path.Combine(b, "tokenizer.json"));
        Assert.Contains($"{b} has no tokenizer: it is taken to have that of {a}", Plan("tokenizer_source: union", a, b).Notes);
        Assert.StartsWith($"merge.yaml:5:19 tokenizer_source: {b} has no tokenizer.json", Refused("tokenizer_source: base", b, a));
        File.WriteAllText(Path.Combine(b, "tokenizer.model"), "");
        Assert.Contains($"{b}: has tokenizer.model, but Recall reads tokenizer.json", Refused("tokenizer_source: union", a, b));
        File.WriteAllText(Path.Combine(b, "tokenizer.json"), "{");
        Assert.Contains($"{Path.Combine(b, "tokenizer.json")}: is not valid JSON", Refused("tokenizer_source: union", a, b));
    }

    [Theory]
    [InlineData("{source: B}", "merge.yaml:5:29 tokenizer.tokens.<q>: B has no token '<q>'; did you mean '<s>'?")]
    [InlineData("{source: nowhere}", "merge.yaml:5:29 tokenizer.tokens.<q>: nowhere has no part in the merge; models here: A, B")]
    [InlineData("{source: {kind: model_token, model: B, token: abc}}", "merge.yaml:5:29 tokenizer.tokens.<q>: B has no token 'abc'")]
    [InlineData("{source: {kind: model_token, model: B, token_id: 5}}", "merge.yaml:5:29 tokenizer.tokens.<q>: B has 5 embedding rows, none for token_id 5")]
    public void TokensOfASourceThatLacksThemAreRefused(string token, string message)
    {
        string a = Model("a", 1, "xyz"), b = Model("b", 2, "zyxw", "<s>");
        string Named(string text) => text.Replace("B", b, StringComparison.Ordinal).Replace("A,", a + ",", StringComparison.Ordinal);
        Assert.StartsWith(Named(message), Refused($"tokenizer: {{tokens: {{\"<q>\": {Named(token)}}}}}", a, b));
    }

    [Fact]
    public void MoreTokensThanRowsAreRefused()
    {
        string a = Model("a", 1, "xyz"), b = Model("b", 2, "xyzw");
        var json = Checkpoint.ReadConfig(Path.Combine(b, "config.json"));
        json["vocab_size"] = 9;
        File.WriteAllText(Path.Combine(b, "config.json"), json.ToJsonString());
        Assert.Equal(
            $"merge.yaml:5:19 tokenizer_source: {b}: config.json says vocab_size 9, but model.embed_tokens.weight has 4 rows",
            Refused("tokenizer_source: union", a, b));
    }

    [Fact]
    public void AHeadWithFewerRowsThanItsEmbeddingIsRefused()
    {
        string a = Model("a", 1, "xyz"), b = _folder["b"];
        var head = (new Shape(3, TinyModel.Hidden), new float[3 * TinyModel.Hidden]);
        TinyModel.Write(b, 2, DType.F32, vocabulary: 4, change: tensors => tensors["lm_head.weight"] = head);
        TinyTokenizer.Write(b, "xyzw");
        Assert.Equal(
            $"merge.yaml:5:19 tokenizer_source: {b} has 3 rows in lm_head.weight, too few for the token with id 3",
            Refused("tokenizer_source: union", a, b));
    }

    [Fact]
    public void OtherWidthsAreRefused()
    {
        string a = Model("a", 1, "xyz"), b = _folder["b"];
        TinyModel.Write(b, 2, DType.F32, vocabulary: 4, hidden: 32);
        TinyTokenizer.Write(b, "xyzw");
        Assert.Contains($"{b} has model.embed_tokens.weight of shape [4, 32]", Refused("tokenizer_source: union", a, b));
    }

    [Fact]
    public void TokensAreMatchedByTextAlsoForMethodsWithABase()
    {
        string a = Model("a", 1, "xy"), b = Model("b", 2, "ywx");
        MergeRun.Run(Config("tokenizer_source: union", $"base_model: {a}", "task_arithmetic", a, b), To);
        var (rowsB, rows) = (Rows(b), Rows(_folder["out"]));
        // x y | w: base + (b − base) with the rows of the same token.
        foreach (var (want, have) in new[] { rowsB[2], rowsB[0], rowsB[1] }.Zip(rows))
            for (int j = 0; j < want.Length; j++) Assert.Equal(want[j], have[j], 1e-6f);
    }

    [Fact]
    public void ATiedHeadIsItsEmbeddingWhereAnotherModelHasOneOfItsOwn()
    {
        string a = Model("a", 1, "xy"), b = Model("b", 2, "yz");
        TinyModel.Write(a, 1, DType.F32, vocabulary: 2, change: tensors => tensors.Remove("lm_head.weight"));
        MergeRun.Run(Config("tokenizer_source: union", models: [a, b]), To);
        var (tied, head, rows) = (Rows(a), Rows(b, "lm_head.weight"), Rows(_folder["out"], "lm_head.weight"));
        foreach (var (want, have) in new[] { tied[0], Mean(tied[1], head[0]), head[1] }.Zip(rows)) Assert.Equal(want, have);
    }

    [Fact]
    public void ABiasOfTheHeadFollowsTheTokens()
    {
        string a = _folder["a"], b = _folder["b"];
        void Bias(Dictionary<string, (Shape, float[])> tensors, params float[] values) =>
            tensors["lm_head.bias"] = (new Shape(values.Length), values);
        TinyModel.Write(a, 1, DType.F32, vocabulary: 2, change: tensors => Bias(tensors, 1, 2));
        TinyModel.Write(b, 2, DType.F32, vocabulary: 3, change: tensors => Bias(tensors, 10, 20, 30));
        TinyTokenizer.Write(a, "xy");
        TinyTokenizer.Write(b, "yzx");
        MergeRun.Run(Config("tokenizer_source: union", models: [a, b]), To);
        Assert.Equal([15.5f, 6, 20], MergekitCase.Values(Checkpoint.Open(_folder["out"]).Find("lm_head.bias")!));
    }

    [Fact]
    public void AMergeByRepresentationsNeedsOneVocabulary()
    {
        string a = Model("a", 1, "xyz"), b = Model("b", 2, "zyx");
        var error = Assert.ThrowsAny<RecallException>(() => MergePlan.Make(
            MergeConfig.Parse($"merge_method: recall\nmodels: [{a}, {b}]\ntokenizer_source: union\n", "merge.yaml"), To));
        Assert.Contains("the method recall compares what models make of the same tokens", error.Message);
    }

    [Fact]
    public void AChatTemplateGoesWithTheTokenizerOrIsNoted()
    {
        string a = Model("a", 1, "xyz"), b = Model("b", 2, "xyz");
        var plan = Plan("chat_template: chatml", a, b);
        var written = JsonNode.Parse(plan.Files.Single(file => file.Name == "tokenizer_config.json").Read().Span)!;
        Assert.Contains("<|im_start|>", (string)written["chat_template"]!);
        var without = MergePlan.Make(Config("chat_template: chatml", models: [a, b]), To with { CopyTokenizer = false });
        Assert.Empty(without.Files);
        Assert.Contains("merge.yaml:5:16 chat_template: no tokenizer is written, so the chat template is not either", without.Notes);
        Assert.StartsWith("merge.yaml:5:16 chat_template: 'chatm' is no chat template", Refused("chat_template: chatm", a, b));
    }

    public void Dispose() => _folder.Dispose();
}
