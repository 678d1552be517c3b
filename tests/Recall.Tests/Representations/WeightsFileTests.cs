using System.Text.Json.Nodes;
using CsCheck;
using Recall.Configuration;
using Recall.Representations;

namespace Recall.Tests.Representations;

public class WeightsFileTests
{
    [Fact]
    public void ReadingGivesBackEveryNumberExactly() => Gen.Double[0, 1].Array[6].Select(Gen.Double[1e-300, 1e300], Gen.Double[1e-9, 1e9])
        .Sample((similarity, bandwidth, temperature) =>
        {
            using var folder = new TemporaryFolder();
            var file = Make() with
            {
                Layers =
                [
                    new ModelWeights(0, bandwidth, [.. similarity[..3]], [.. ModelWeights.Softmax(similarity.AsSpan(0, 3), 0.1)]),
                    new ModelWeights(1, null, [.. similarity[3..]], [.. ModelWeights.Softmax(similarity.AsSpan(3, 3), 0.1)]),
                ],
                Options = new RecallOptions { Temperature = temperature, Bandwidth = bandwidth, Pooling = Pooling.Last, ClusterLayer = 3, Seed = 7, Count = 5, Candidates = 64 },
            };
            file.Write(folder["weights.json"]);

            var read = WeightsFile.Read(folder["weights.json"]);

            Assert.Equal(file.ToJson(), read.ToJson());
            Assert.Equal(file.Options, read.Options);
            for (int layer = 0; layer < 2; layer++)
            {
                Assert.Equal(file.Layers[layer].Bandwidth, read.Layers[layer].Bandwidth);
                Assert.Equal(file.Layers[layer].Similarity, read.Layers[layer].Similarity);
                Assert.Equal(file.Layers[layer].Weights, read.Layers[layer].Weights);
            }
        }, iter: 50);

    [Fact]
    public void FormIsTheDocumentedOne()
    {
        var json = JsonNode.Parse(Make().ToJson())!;

        Assert.Equal(["a", "b+c", "é\"d"], json["models"]!.AsArray().Select(name => (string)name!));
        Assert.Equal("é\"d", (string)json["reference"]!);
        Assert.Equal("rbf", (string)json["similarity"]!);
        Assert.Equal("median", (string)json["bandwidth"]!);
        Assert.Equal(["layer", "bandwidth", "similarity", "weights"], json["layers"]![1]!.AsObject().Select(entry => entry.Key));
        Assert.Equal("first\ntext", (string)json["samples"]![0]!["text"]!);
        Assert.Equal(4, (int)json["samples"]![0]!["row"]!);
        Assert.Equal([0.25, 0.25, 0.5], Make().Mean());
    }

    public static TheoryData<string, string, string> Broken() => new()
    {
        { "\"weights\":[0.25,0.25,0.5]", "\"weights\":[0.25,0.25]", "layers[0].weights has 2 numbers for 3 models" },
        { "\"weights\":[0.25,0.25,0.5]", "\"weights\":[0.25,0.25,0.4]", "layers[0].weights sum to 0.9" },
        { "\"weights\":[0.25,0.25,0.5]", "\"weights\":[0.25,null,0.5]", "layers[0].weights[1]" },
        { "\"weights\":[0.25,0.25,0.5]", "\"weights\":[0.25,1e999,0.5]", "layers[0].weights[1]" },
        { "\"weights\":[0.25,0.25,0.5]", "\"weights\":\"all\"", "layers[0].weights must be a list" },
        { "\"similarity\":[0.5,0.75,1]", "\"similarity\":[0.5,0.75,\"1\"]", "layers[0].similarity[2] must be a finite number" },
        { "\"layer\":1", "\"layer\":2", "layers[1].layer is 2; layers must stand in order from 0, so 1 is expected" },
        { "\"bandwidth\":2.5", "\"bandwidth\":-1", "layers[0].bandwidth must be above 0" },
        { "\"reference\": \"é\\\"d\"", "\"reference\": \"z\"", "reference is 'z', which is none of the models" },
        { "[\"a\",", "[7,", "models[0] must be a text" },
        { "\"similarity\": \"rbf\"", "\"similarity\": \"rfb\"", "similarity is 'rfb'; rbf, cosine, cka are known" },
        { "\"count\": 20", "\"count\": 2.5", "count must be a whole number from 1 on, not 2.5" },
        { "{\n", "[\n", "not valid JSON" },
        { "\"layers\":", "\"levels\":", "layers must be a list" },
    };

    [Theory, MemberData(nameof(Broken))]
    public void BrokenFileIsRefusedWithThePlace(string what, string by, string message)
    {
        using var folder = new TemporaryFolder();
        string json = Make().ToJson();
        int at = json.IndexOf(what, StringComparison.Ordinal);
        Assert.True(at >= 0, json);
        File.WriteAllText(folder["weights.json"], json[..at] + by + json[(at + what.Length)..]);

        var error = Assert.Throws<RecallException>(() => WeightsFile.Read(folder["weights.json"]));

        Assert.StartsWith(folder["weights.json"], error.Message);
        Assert.Contains(message, error.Message);
    }

    [Fact]
    public void OtherModelsThanThoseOfTheMergeAreNamed()
    {
        var file = Make();

        file.RequireFor("w.json", ["a", "b+c", "é\"d"], 1);
        Assert.Contains("another model: model 2 is 'b+c' there and 'x' in the config", Refusal(["a", "x", "é\"d"], 1));
        Assert.Contains("the same models in another order", Refusal(["b+c", "a", "é\"d"], 1));
        Assert.Contains("for 3 models ('a', 'b+c', 'é\"d'), the config names 2 ('a', 'b+c')", Refusal(["a", "b+c"], 1));
        Assert.Contains("for 1 blocks (layers 0 to 1), the models have 4", Refusal(["a", "b+c", "é\"d"], 4));

        string Refusal(string[] models, int layers) => Assert.Throws<RecallException>(() => file.RequireFor("w.json", models, layers)).Message;
    }

    static WeightsFile Make() => new(["a", "b+c", "é\"d"], "é\"d", [new Sample(4, "first\ntext", [1, 2]) { ClusterSize = 3 }],
    [
        new ModelWeights(0, 2.5, [0.5, 0.75, 1], [0.25, 0.25, 0.5]),
        new ModelWeights(1, 3.5, [0.5, 0.75, 1], [0.25, 0.25, 0.5]),
    ], new RecallOptions());
}
