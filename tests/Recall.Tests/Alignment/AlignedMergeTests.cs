using System.Text.Json.Nodes;
using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Planning;
using Recall.Representations;
using Recall.Tests.Merging;
using Recall.Tokenization;

namespace Recall.Tests.Alignment;

/// <summary>align, distil and RegMean from a merge file to a folder, and what is chosen by default.</summary>
public sealed class AlignedMergeTests : IDisposable
{
    const string Set = "full";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static string Shared(string name) => Fixtures.Shared("golden", "align", Set, name);

    string Samples(string expert)
    {
        string path = _folder[expert + ".jsonl"];
        File.WriteAllLines(path, File.ReadLines(Shared("samples.jsonl")).Where(line => (string)JsonNode.Parse(line)!["expert"]! == expert));
        return path;
    }

    MergePlan Plan(string config, string output = "merged") =>
        MergeRun.Plan(MergeConfig.Parse(config, "merge.yaml"), new MergeOptions { Output = _folder[output], Threads = 2 });

    string Merge(string config, string output = "merged")
    {
        MergeRun.Run(MergeConfig.Parse(config, "merge.yaml"), new MergeOptions { Output = _folder[output], Threads = 2 });
        return _folder[output];
    }

    string Config(string recall, params (string Expert, string Given)[] experts) =>
        $"merge_method: recall\nbase_model: {Shared("base")}\nmodels:\n{string.Concat(experts.Select(expert => $"- {{model: {(expert.Expert.Contains('/') ? expert.Expert : Shared(expert.Expert))}{expert.Given}}}\n"))}{recall}";

    (string, string)[] AllWithTexts => [.. new[] { "expert-1", "expert-2", "expert-3" }.Select(name => (name, $", samples: "
        + $"{Samples(name)}"))];

    static Dictionary<string, float[]> Weights(string path) =>
        Checkpoint.Open(path).Tensors.ToDictionary(tensor => tensor.Name, GoldenAlignment.Read);

    static void AssertNear(double bound, string folder, Dictionary<string, float[]> expected)
    {
        var (difference, tensor) = GoldenAlignment.Farthest(Weights(folder), expected);
        Assert.True(difference <= bound, $"{tensor} differs by {difference}");
    }

    [Theory]
    [InlineData("align")]
    [InlineData("distil")]
    public void A_merge_file_gives_the_model_of_the_reference_with_its_card_and_its_texts(string method)
    {
        string merged = Merge(Config($"recall: {{combine: {method}, compute: float32, card_rank: full}}\n", AllWithTexts));
        AssertNear(2e-5, merged, Weights(Fixtures.Shared("golden", "align", Set, "expected", method + ".safetensors")));

        var card = CardFile.Open(Path.Combine(merged, "card.safetensors"));
        Assert.Equal((3, 1.0, null as int?, ModelPrint.Of(Checkpoint.Open(merged))), (card.Experts, card.Answers, card.Rank, card.Model));
        Assert.Equal(card.Tokens, File.ReadLines(Path.Combine(merged, "samples.jsonl")).Sum(line =>
            JsonNode.Parse(line)!["ids"]!.AsArray().Count));
        Assert.Equal(3, File.ReadLines(Path.Combine(merged, "samples.jsonl")).Select(line =>
            (string)JsonNode.Parse(line)!["expert"]!).Distinct().Count());
    }

    [Fact]
    public void One_after_another_by_the_card_beside_the_merged_model_is_all_at_once()
    {
        string options = "recall: {combine: align, compute: float32, card_rank: full, keep_samples: false, demand: false}\n";
        string two = Merge(Config(options, AllWithTexts[..2]), "two");
        Assert.False(File.Exists(Path.Combine(two, "samples.jsonl")));
        string three = Merge(Config(options, (two, ""), AllWithTexts[2]), "three");
        AssertNear(2e-4, three, Weights(Fixtures.Shared("golden", "align", Set, "expected", "align.safetensors")));
        Assert.Equal(3, CardFile.Open(Path.Combine(three, "card.safetensors")).Experts);
    }

    [Fact]
    public void Experts_weighed_one_after_another_are_weighed_as_all_at_once()
    {
        string options = "recall: {combine: align, compute: float32, card_rank: full, keep_samples: false}\n";
        string two = Merge(Config(options, AllWithTexts[..2]), "two"), three = Merge(Config(options, (two, ""), AllWithTexts[2]), "three");
        var joint = MergeRun.Run(MergeConfig.Parse(Config(options, AllWithTexts), "merge.yaml"), new MergeOptions { Output = _folder["joint"], Threads = 2 });
        Assert.Contains(joint.Plan.Notes, note => note.StartsWith("demand: the experts weigh ", StringComparison.Ordinal));
        AssertNear(2e-4, three, Weights(_folder["joint"]));
        foreach (string folder in (string[])[two, three, _folder["joint"]])
        {
            var card = CardFile.Open(Path.Combine(folder, "card.safetensors"));
            Assert.Equal((null, true), (card.Demand, card.IsWeighed));
        }
        // What weighs more comes nearer to itself: the merge differs from that of experts that weigh alike.
        string even = Merge(Config(options.Replace("false}", "false, demand: false}", StringComparison.Ordinal), AllWithTexts), "even");
        Assert.True(GoldenAlignment.Farthest(Weights(even), Weights(three)).Difference > 1e-3);
    }

    [Fact]
    public void Kept_texts_are_found_by_the_next_merge_and_count_for_all_their_experts()
    {
        string two = Merge(Config("recall: {combine: distil, compute: float32}\n", AllWithTexts[..2]), "two");
        string three = Merge(Config("recall: {compute: float32}\n", (two, ""), AllWithTexts[2]), "three");
        var lines = File.ReadLines(Path.Combine(three, "samples.jsonl")).Select(line =>
            (string)JsonNode.Parse(line)!["expert"]!).Distinct().ToList();
        Assert.Equal(["expert-1", "expert-2", "expert-3"], lines);
        Assert.Equal(3, CardFile.Open(Path.Combine(three, "card.safetensors")).Experts);
    }

    /// <summary>Rows of one expert: those of its samples, and each once more without its last token.</summary>
    string More(string expert)
    {
        var rows = File.ReadLines(Samples(expert)).Select(line => JsonNode.Parse(line)!["ids"]!.AsArray().Select(id => (int)id!).ToArray()).ToList();
        string path = _folder[expert + ".more.jsonl"];
        File.WriteAllLines(path, rows.Concat(rows.Select(ids => ids[..^1])).Select(ids => $$"""{"ids": [{{string.Join(", ", ids)}}]}"""));
        return path;
    }

    static int[][] Ids(string path) => [.. File.ReadLines(path).Select(line => JsonNode.Parse(line)!["ids"]!.AsArray().Select(id => (int)id!).ToArray())];

    [Fact]
    public void Candidates_are_clustered_by_their_own_expert_and_the_typical_ones_merged_by_and_kept()
    {
        (string, string)[] experts = [.. AllWithTexts[..2].Select(expert => (expert.Item1, $", samples: {More(expert.Item1)}"))];
        const string Options = "recall: {combine: align, compute: float32, count: 3, candidates: 100, cluster_layer: 2}\n";
        string merged = Merge(Config(Options, experts));
        var kept = Ids(Path.Combine(merged, "samples.jsonl"));
        var expected = new List<int[]>();
        foreach (var (expert, _) in experts)
        {
            var all = Ids(More(expert));
            var states = Represent.Pooled(expert, Checkpoint.Open(Shared(expert)), all,
                new RecallOptions { ClusterLayer = 2, Compute = ComputeType.Float32 }, CancellationToken.None);
            expected.AddRange(TypicalSamples.Choose(states, [.. all.Select(ids => string.Join(' ', ids))], 3, 0).Select(sample => all[sample.Row]));
        }
        Assert.Equal(expected, kept);
        Assert.NotEqual(Ids(More("expert-1"))[..3], kept[..3]);

        // Merged by those: the same merge of the kept ones alone.
        (string, string)[] again = [.. experts.Select((expert, i) =>
        {
            string path = _folder[$"chosen-{i}.jsonl"];
            File.WriteAllLines(path, kept[(3 * i)..(3 * i + 3)].Select(ids => $$"""{"ids": [{{string.Join(", ", ids)}}]}"""));
            return (expert.Item1, $", samples: {path}");
        })];
        AssertNear(0, Merge(Config("recall: {combine: align, compute: float32, count: 3}\n", again), "again"), Weights(merged));
    }

    [Fact]
    public void Of_a_task_with_more_texts_than_count_the_typical_ones_are_kept_and_all_are_merged_by()
    {
        string selected = _folder["selected.jsonl"];
        var rows = Ids(More("expert-1"));
        File.WriteAllLines(selected, rows.Select((ids, row) =>
            $$"""{"ids": [{{string.Join(", ", ids)}}], "row": {{row}}, "cluster_size": 1}"""));
        string merged = Merge(Config("recall: {combine: align, compute: float32, count: 4}\n", ("expert-1", $", samples: {selected}"), AllWithTexts[1]));
        var lines = File.ReadLines(Path.Combine(merged, "samples.jsonl")).GroupBy(line => (string)JsonNode.Parse(line)!["expert"]!).ToList();
        Assert.Equal([4, 4], lines.Select(task => task.Count()));
        Assert.Equal(rows.Sum(ids => ids.Length) + Ids(Samples("expert-2")).Sum(ids => ids.Length),
            CardFile.Open(Path.Combine(merged, "card.safetensors")).Tokens);
    }

    [Fact]
    public void Distil_is_chosen_where_there_are_texts_and_align_where_there_are_only_cards()
    {
        string card = CardOf("expert-1", 8);
        Assert.Contains("combine: distil: 1 of 2 experts have texts, 1 a card; 'preset: paper' takes the published form",
            Plan(Config("", ("expert-1", $", card: {card}"), ("expert-2", $", samples: {Samples("expert-2")}"))).Notes);
        var aligned = Plan(Config("", ("expert-1", $", card: {card}"), ("expert-2", $", card: {CardOf("expert-2", 8)}")));
        Assert.Contains("combine: align: 0 of 2 experts have texts, 2 a card; 'preset: paper' takes the published form", aligned.Notes);
        Assert.Equal("align", aligned.Alignment!.Method);
        var paper = MergePlan.Make(MergeConfig.Parse(Config("recall: {preset: paper}\n", AllWithTexts), "merge.yaml"),
            new MergeOptions { Output = _folder["paper"] });
        Assert.Null(paper.Alignment);
        Assert.NotNull(paper.Weighting);
    }

    [Fact]
    public void Rank_cards_and_texts_of_the_newest_give_a_model()
    {
        string merged = Merge(Config("", ("expert-1", $", card: {CardOf("expert-1", 8)}"),
            ("expert-2", $", samples: {Samples("expert-2")}")));
        Assert.All(Weights(merged).Values, values => Assert.All(values, value => Assert.True(float.IsFinite(value))));
        Assert.Equal(2, CardFile.Open(Path.Combine(merged, "card.safetensors")).Experts);
    }

    [Theory]
    [InlineData("regmean")]
    [InlineData("regmean++")]
    [InlineData("regmean_plusplus")]
    public void RegMean_by_its_name_takes_the_texts(string method)
    {
        string merged = Merge(Config("recall: {compute: float32}\n", AllWithTexts).Replace("merge_method: recall", "merge_method: "
            + method));
        var kind = method == "regmean" ? AlignmentKind.RegMean : AlignmentKind.RegMeanPlusPlus;
        AssertNear(1e-6, merged, GoldenAlignment.Merge(GoldenAlignment.Base(Set), GoldenAlignment.Experts(Set),
            new AlignmentOptions { Kind = kind }));
        Assert.False(File.Exists(Path.Combine(merged, "card.safetensors")));
    }

    string CardOf(string expert, int? rank)
    {
        string path = _folder[expert + ".card.safetensors"];
        CardRun.Write(path, expert, Checkpoint.Open(Shared(expert)),
            GoldenAlignment.Experts(Set).Single(each => each.Name == expert).Texts, rank, 1);
        return path;
    }

    [Fact]
    public void A_demand_that_a_card_does_not_say_is_missed_before_anything_is_written()
    {
        string Asked(string recall) => Config($"recall: {{combine: distil, {recall}}}\n", ("expert-1", $", card: {CardOf("expert-1", 4)}"), AllWithTexts[1]);
        Assert.Contains("does not say what its expert's task asks for; make it anew: recall card ",
            Assert.Throws<RecallException>(() => Merge(Asked("demand: true"))).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["merged"]));
        Merge(Asked("demand: false"));
    }

    [Fact]
    public void What_an_expert_lacks_is_said_with_the_command_that_makes_it()
    {
        string message = Assert.Throws<ConfigurationException>(() =>
            Plan(Config("recall: {combine: distil}\n", ("expert-1", ""), AllWithTexts[1]))).Message;
        Assert.Equal($"merge.yaml:4:3 models[0]: {Shared("expert-1")} has no samples and no card; give it 'samples: FILE' here, or make "
            + $"its card where its texts are: "
            + $"recall card {Shared("expert-1")} --samples FILE --out {Shared("expert-1")}/card.safetensors", message);
    }

    [Fact]
    public void Cards_that_are_damaged_or_of_another_model_are_refused()
    {
        string good = CardOf("expert-1", 4), damaged = _folder["damaged.safetensors"];
        var bytes = File.ReadAllBytes(good);
        void Refused(string part, Action merge) => Assert.Contains(part, Assert.ThrowsAny<RecallException>(merge).Message);
        string With(string card, string expert = "expert-1") =>
            Config("recall: {combine: distil}\n", (expert, $", card: {card}"), AllWithTexts[2]);

        Refused("is the card of another model than", () => Plan(With(good, "expert-2")));
        File.WriteAllBytes(damaged, bytes[..^100]);
        Refused(damaged, () => Plan(With(damaged)));
        var values = CardFile.Open(good);
        File.WriteAllBytes(damaged, bytes);
        long at = Checkpoint.Open(damaged).Find("layers.1.mlp.in.diagonal")!.Verbatim!.Offset;
        BitConverter.GetBytes(float.NaN).CopyTo(bytes, at);
        File.WriteAllBytes(damaged, bytes);
        Refused("layers.1.mlp.in.diagonal holds values that no second moment has", () => Merge(With(damaged)));
        Assert.False(Directory.Exists(_folder["merged"]));
        string header = System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(good)).Replace("\"rank\":\"4\"", "\"rank\":\"8\"");
        File.WriteAllBytes(damaged, System.Text.Encoding.Latin1.GetBytes(header));
        Refused($"{damaged}: layers.0.attention.in.values is F32 [4]; a card of rank 8 has F32 [8] there", () => Plan(With(damaged)));
        Refused("is no card of layer statistics", () => Plan(With(Path.Combine(Shared("base"), "model.safetensors"))));
        Refused("was made with answers 1, the merge asks for 2", () =>
            Plan(Config("recall: {combine: distil, answers: 2}\n", ("expert-1", $", card: {good}"), AllWithTexts[2])));
        Assert.Equal(4, values.Rank);
    }

    [Theory]
    [InlineData("""{"ids": [], "answer": 1}""", "the 'ids' of row 1 are empty")]
    [InlineData("""{"ids": [1, 2, 3], "answer": 0}""", "'answer' of row 1 must be the index")]
    [InlineData("""{"ids": [1, 2, 3], "answer": 4}""", "'answer' of row 1 must be the index")]
    [InlineData("""{"ids": [1, 2, 999], "answer": 2}""", "has the token id 999")]
    [InlineData("""{"text": "   "}""", "blank")]
    [InlineData("", "holds no texts")]
    public void Texts_that_are_none_are_refused(string row, string message)
    {
        File.WriteAllText(_folder["bad.jsonl"], row + "\n");
        Assert.Contains(message, Assert.ThrowsAny<RecallException>(() =>
            Plan(Config("", ("expert-1", $", samples: {_folder["bad.jsonl"]}"), AllWithTexts[1]))).Message);
    }

    [Theory]
    [InlineData("""{"text": "a word", "answer": "\u0001"}""", "the answer of row 1, '\\u0001', has no tokens")]
    [InlineData("""{"text": "\u0001", "answer": "yes"}""", "the text of row 1 has no tokens before its answer")]
    [InlineData("""{"text": "\u0001"}""", "is empty: it has no tokens")]
    public void Texts_and_answers_that_have_no_tokens_are_refused(string row, string message)
    {
        File.WriteAllText(_folder["none.jsonl"], row + "\n");
        // This tokenizer drops control characters; without its post-processor it adds nothing either.
        var json = JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizers", "bert-uncased", "tokenizer.json")))!;
        json["post_processor"] = null;
        var tokenizer = Tokenizer.Parse(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), "tokenizer.json");
        var refused = Assert.ThrowsAny<RecallException>(() =>
        {
            var texts = AlignmentSamples.Read("expert", _folder["none.jsonl"], null, () => tokenizer, 20, 64);
            using var alignment = new LayerAlignment(GoldenAlignment.Base(Set),
                [new AlignmentExpert("expert", GoldenAlignment.Base(Set), texts)], new AlignmentOptions { Kind = AlignmentKind.Distil });
        });
        Assert.Contains(message, refused.Message);
    }

    [Theory]
    [InlineData("""{"ids": [5], "answer": 1}""")]
    [InlineData("""{"ids": [5, 5, 5, 5, 5, 5], "answer": 5}""")]
    [InlineData("""{"ids": [5, 6, 7]}""")]
    public void Texts_of_one_token_all_alike_or_without_an_answer_are_texts(string row)
    {
        File.WriteAllText(_folder["few.jsonl"], string.Concat(Enumerable.Repeat(row + "\n", 3)));
        string merged = Merge(Config("", ("expert-1", $", samples: {_folder["few.jsonl"]}"), AllWithTexts[1]));
        Assert.All(Weights(merged).Values, values => Assert.All(values, value => Assert.True(float.IsFinite(value))));
    }

    [Fact]
    public void Experts_of_another_base_are_refused()
    {
        string other = Fixtures.Shared("golden", "align", "adapter-like", "expert-1");
        string message = Assert.ThrowsAny<RecallException>(() =>
            Plan(Config("", (other, $", samples: {Samples("expert-1")}"), AllWithTexts[1]))).Message;
        Assert.Contains(other, message);
        Assert.Contains("have different architectures", message);

        // Of the same family, and of other sizes.
        TinyModel.Write(_folder["other"], 1);
        string config = Config("", (_folder["other"], $", samples: {Samples("expert-1")}"), (other, $", samples: {Samples("expert-2")}"));
        message = Assert.ThrowsAny<RecallException>(() =>
            Plan(config.Replace(Shared("base"), Fixtures.Shared("golden", "align", "adapter-like", "base")))).Message;
        Assert.Contains(_folder["other"], message);
        Assert.Contains("shape", message);
        var expert = new AlignmentExpert("other", Checkpoint.Open(_folder["other"]), [new AlignmentText([1, 2], 1)]);
        Assert.Contains("it is an expert of another base", Assert.Throws<RecallException>(() => new LayerAlignment(GoldenAlignment.Base(Set), [expert],
            new AlignmentOptions { Kind = AlignmentKind.Distil })).Message);
    }
}
