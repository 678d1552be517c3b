using Recall.Alignment;
using Recall.Checkpoints;
using Recall.Configuration;
using Recall.Representations;
using Recall.Tests.Representations;
using static Recall.Tests.Alignment.FamilyModels;

namespace Recall.Tests.Alignment;

/// <summary>align, distil and RegMean of families whose linear layers are fused, stored [in, out], or experts of a mixture.</summary>
public sealed class FamilyAlignmentTests : TorchTests
{
    static AlignmentOptions Options(AlignmentKind kind) => new() { Kind = kind };

    /// <summary>Fused; other norms; stored [in, out]; fused by heads, parallel; experts; experts and a shared MLP; stacked experts.</summary>
    public static TheoryData<string> Families => ["phi3", "gemma2", "gpt2", "gpt-neox", "mixtral", "qwen2-moe", "granitemoe"];

    public static TheoryData<string, AlignmentKind> FamiliesAndKinds =>
        [.. Families.SelectMany(family => new[] { AlignmentKind.Align, AlignmentKind.Distil }.Select(kind => (family.Data, kind)))];

    [Theory, MemberData(nameof(FamiliesAndKinds))]
    public void One_expert_alone_gives_itself_back_as_far_as_the_ridge_lets_it(string family, AlignmentKind kind)
    {
        var baseModel = Base(family);
        var expert = Experts(baseModel, 1, texts: 30)[0];
        var merged = GoldenAlignment.Merge(baseModel, [expert], Options(kind) with { Ridge = 1e-10 });
        AssertNear(kind == AlignmentKind.Align ? 1e-5 : 1e-3, merged, Weights(expert.Checkpoint));
    }

    [Theory, MemberData(nameof(FamiliesAndKinds))]
    public void Equal_experts_give_themselves_whatever_their_texts(string family, AlignmentKind kind)
    {
        var baseModel = Base(family);
        var experts = Experts(baseModel, 2, texts: 20);
        var equal = experts.Select((expert, i) => expert with { Name = $"copy {i}", Checkpoint = experts[0].Checkpoint }).ToList();
        AssertNear(kind == AlignmentKind.Align ? 1e-5 : 1e-3,
            GoldenAlignment.Merge(baseModel, equal, Options(kind) with { Ridge = 1e-10 }), Weights(experts[0].Checkpoint));
    }

    [Theory, MemberData(nameof(Families))]
    public void One_after_another_by_cards_is_all_at_once(string family)
    {
        var baseModel = Base(family);
        var (experts, align) = (Experts(baseModel, 3, texts: 20), Options(AlignmentKind.Align));
        var joint = GoldenAlignment.Merge(baseModel, experts, align);
        var two = experts.Take(2).ToList();
        var card = InMemoryCards.Of(baseModel, InMemoryCards.Moments(baseModel, two, align), null, experts: 2);
        var merged = baseModel.With([.. GoldenAlignment.Merge(baseModel, two, align).Select(tensor =>
            new MemoryTensor(tensor.Key, baseModel.Find(tensor.Key)!.Shape, tensor.Value))]);
        AssertNear(2e-5, GoldenAlignment.Merge(baseModel, [new AlignmentExpert("merged", merged, [], card), experts[2]], align), joint);
    }

    /// <summary>What distil is for: the merged model gives what each expert gives on its own texts, nearer than the plain mean does.</summary>
    [Theory, MemberData(nameof(Families))]
    public void Distil_is_nearer_to_the_experts_than_their_mean(string family)
    {
        var baseModel = Base(family);
        var experts = Experts(baseModel, 2, texts: 6);
        using var names = new LayerAlignment(baseModel, experts, Options(AlignmentKind.Align));
        double mean = Distance(names.Rest, experts), distil = Distance(Merged(baseModel, experts, Options(AlignmentKind.Distil)), experts);
        Assert.True(distil < 0.95 * mean, $"mean {mean}, distil {distil}");
    }

    static Checkpoint Merged(Checkpoint baseModel, IReadOnlyList<AlignmentExpert> experts, AlignmentOptions options) =>
        baseModel.With([.. GoldenAlignment.Merge(baseModel, experts, options).Select(tensor =>
            new MemoryTensor(tensor.Key, baseModel.Find(tensor.Key)!.Shape, tensor.Value))]);

    static double Distance(Checkpoint model, IReadOnlyList<AlignmentExpert> experts)
    {
        double sum = 0;
        foreach (var expert in experts)
        {
            List<float[]> Last(Checkpoint checkpoint)
            {
                IReadOnlyList<float[]> last = [];
                Represent.Run("m", checkpoint, [.. expert.Texts.Select(text => text.Ids)], new RepresentOptions { Pooling = null, Compute = ComputeType.Float32 },
                    states => last = states.Tokens);
                return [.. last];
            }
            foreach (var (own, merged) in Last(expert.Checkpoint).Zip(Last(model)))
                sum += own.Zip(merged, (one, other) => Math.Pow((double)one - other, 2)).Sum();
        }
        return sum;
    }

    [Theory]
    [InlineData(AlignmentKind.Align)]
    [InlineData(AlignmentKind.Distil)]
    [InlineData(AlignmentKind.RegMean)]
    [InlineData(AlignmentKind.RegMeanPlusPlus)]
    public void A_fused_model_gives_what_the_same_model_gives_unfused(AlignmentKind kind)
    {
        var llama = Base("llama");
        var experts = Experts(llama, 3, texts: 12);
        var unfused = Fused.Of(Merged(llama, experts, Options(kind)));
        var fused = GoldenAlignment.Merge(Fused.Of(llama), [.. experts.Select(expert => expert with { Checkpoint = Fused.Of(expert.Checkpoint) })], Options(kind));
        AssertNear(1e-6, fused, Weights(unfused));
    }

    [Theory]
    [InlineData(AlignmentKind.Align)]
    [InlineData(AlignmentKind.Distil)]
    public void Stacked_experts_give_what_single_ones_give(AlignmentKind kind)
    {
        var single = Base("mixtral");
        var experts = Experts(single, 2, texts: 12);
        var expected = Stacked.Of(Merged(single, experts, Options(kind)), "block_sparse_moe");
        var stacked = GoldenAlignment.Merge(Stacked.Of(single, "block_sparse_moe"),
            [.. experts.Select(expert => expert with { Checkpoint = Stacked.Of(expert.Checkpoint, "block_sparse_moe") })], Options(kind));
        AssertNear(1e-6, stacked, Weights(expected));
    }

    [Fact]
    public void An_expert_that_saw_no_token_takes_the_mean_and_a_note_says_so()
    {
        // One token again and again gives one state at every place, so that two of four experts have work.
        var baseModel = Base("mixtral");
        var experts = Experts(baseModel, 2).Select(expert => expert with { Checkpoint = Routed(expert.Checkpoint), Texts = [new([5, 5, 5, 5, 5, 5], 4)] }).ToList();
        var merged = GoldenAlignment.Merge(baseModel, experts, Options(AlignmentKind.Align), out var notes);
        var unseen = notes.Where(note => note.EndsWith(".in: no token was routed to it: it takes the mean of the experts", StringComparison.Ordinal)).ToList();
        Assert.Equal(4, unseen.Count);
        foreach (string note in unseen)
        {
            string[] parts = note.Split('.');
            string name = $"model.layers.{parts[1]}.block_sparse_moe.experts.{parts[3]}.w3.weight";
            var mean = experts.Select(expert => GoldenAlignment.Read(expert.Checkpoint.Find(name)!)).ToList();
            for (int i = 0; i < merged[name].Length; i++) Assert.Equal((mean[0][i] + mean[1][i]) / 2, merged[name][i], 1e-6);
        }

        // All with the base's routers, so that the two choose the same experts.
        Checkpoint Routed(Checkpoint model) => model.With([.. model.Tensors.Select(tensor =>
            tensor.Name.EndsWith("gate.weight", StringComparison.Ordinal) || tensor.Name.Contains("self_attn", StringComparison.Ordinal)
            || tensor.Name.Contains("embed", StringComparison.Ordinal) ? baseModel.Find(tensor.Name)! : tensor)]);
    }

    [Theory]
    [InlineData("mixtral")]
    [InlineData("granitemoe")]
    [InlineData("gpt2")]
    public void A_card_holds_every_input_of_a_family(string family)
    {
        using var folder = new TemporaryFolder();
        var baseModel = Base(family);
        var experts = Experts(baseModel, 2, texts: 12);
        var withCards = experts.Select(expert =>
        {
            CardRun.Write(folder[expert.Name], expert.Name, expert.Checkpoint, expert.Texts, null, 1);
            return expert with { Texts = [], Card = CardFile.Open(folder[expert.Name]) };
        }).ToList();
        var options = BlockOptions.Read(baseModel);
        int perLayer = options.Kinds[0].Mixture is { } mixture ? 3 + 2 * mixture.Experts : 4;
        Assert.Equal(perLayer * options.Layers + (options.TiedEmbeddings ? 0 : 1), withCards[0].Card!.Inputs.Count);
        var (fromCards, fromTexts) = (Weights(Merged(baseModel, withCards, Options(AlignmentKind.Align))), Weights(Merged(baseModel, experts, Options(AlignmentKind.Align))));
        AssertNear(1e-4, fromCards, fromTexts);
    }

    /// <summary>Tensors of GGUF have other names and layouts; the pass is that of the same model.</summary>
    [Theory]
    [InlineData("gemma2-f16")]
    [InlineData("gpt2-f32")]
    [InlineData("qwen3moe-q8_0")]
    public void A_gguf_file_is_a_base_like_any_other(string name)
    {
        var baseModel = Checkpoint.Open(Fixtures.Path("gguf", "models", name, "model.gguf"));
        int vocabulary = BlockOptions.Read(baseModel).VocabularySize;
        var experts = Experts(baseModel, 2, texts: 4).Select(expert => expert with
        {
            Texts = [.. expert.Texts.Select(text => text with { Ids = [.. text.Ids.Select(id => id % vocabulary)] })],
        }).ToList();
        foreach (var tensor in GoldenAlignment.Merge(baseModel, experts, Options(AlignmentKind.Distil)))
            Assert.All(tensor.Value, value => Assert.True(float.IsFinite(value)));
    }
}
