using CsCheck;
using Recall.Checkpoints;
using Recall.Checkpoints.Lora;

namespace Recall.Tests.Checkpoints.Lora;

public class LoraTensorTests
{
    [Theory]
    [InlineData("plain-qv"), InlineData("dora"), InlineData("dora-embedding"), InlineData("dora-gpt2"), InlineData("qwen3moe-experts")]
    [InlineData("lora-bias")]
    [InlineData("trainable-tokens-dict"), InlineData("two-adapters"), InlineData("precision-bf16-base-fp32-adapter-dora")]
    public void EveryPieceHasTheBitsOfTheWhole(string name)
    {
        var model = new LoraCase(Fixtures.Path("lora"), name).Apply();
        var any = Gen.Int[0, model.Tensors.Count - 1].Select(i => model.Tensors[i]);
        Gen.Select(any, Gen.Int[0, 10_000], Gen.Int[1, 10_000]).Sample((tensor, at, length) =>
        {
            var whole = LoraCase.Values(tensor);
            int start = at % whole.Length;
            var piece = new float[Math.Min(length, whole.Length - start)];
            var reader = new TileReader();
            reader.Begin();
            tensor.Read(reader, start, piece);
            Assert.Equal(whole[start..(start + piece.Length)], piece);
        }, iter: 300);
    }

    [Fact]
    public void AdapterOfARealModelIsAddedToItsQuantisedBase()
    {
        var model = Checkpoint.Open(Fixtures.Shared("models", "SmolLM2-135M-Instruct.Q4_1.gguf"));
        var adapter = LoraAdapter.Open(Fixtures.Shared("adapters", "race"));
        var result = adapter.Apply(model);
        Assert.Equal(model.Tensors.Select(tensor => tensor.Name), result.Tensors.Select(tensor => tensor.Name));
        foreach (var module in adapter.Modules.Where((_, i) => i % 23 == 0))
        {
            float[] a = LoraCase.Values(module.A), b = LoraCase.Values(module.B), before = LoraCase.Values(model.Find($"{module.Name}.weight")!);
            var after = LoraCase.Values(result.Find($"{module.Name}.weight")!);
            int inputs = (int)module.A.Shape[1];
            for (int i = 0; i < after.Length; i += 97)
            {
                double sum = Enumerable.Range(0, module.Rank).Sum(k => (double)b[i / inputs * module.Rank + k] * a[k * inputs + i % inputs]);
                Assert.Equal(before[i] + sum * module.Scale, after[i], 1e-6);
            }
        }
    }

    [Fact]
    public void ManyThreadsReadTheSameBits()
    {
        var model = new LoraCase(Fixtures.Path("lora"), "dora").Apply();
        var expected = model.Tensors.Select(LoraCase.Values).ToList();
        var fresh = new LoraCase(Fixtures.Path("lora"), "dora").Apply();
        Parallel.For(0, 8 * expected.Count, i =>
            Assert.Equal(expected[i % expected.Count], LoraCase.Values(fresh.Tensors[i % expected.Count])));
    }

    [Fact]
    public void ChangedTensorNamesWhatItIsMadeOfAndCannotBeCopied()
    {
        var golden = new LoraCase(Fixtures.Path("lora"), "dora");
        var tensor = golden.Apply().Find("model.layers.1.self_attn.q_proj.weight")!;
        Assert.Null(tensor.Verbatim);
        const string module = "base_model.model.model.layers.1.self_attn.q_proj";
        string[] expected =
        [
            "model.layers.1.self_attn.q_proj.weight", $"{module}.lora_B.weight", $"{module}.lora_A.weight",
            $"{module}.lora_magnitude_vector",
        ];
        Assert.Equal(expected, tensor.Stored.Select(stored => stored.Name));
    }

    [Fact]
    public void TensorThatTheAdapterLeavesAloneIsTheOneOfTheBase()
    {
        var tensor = new LoraCase(Fixtures.Path("lora"), "plain-qv").Apply().Find("model.norm.weight")!;
        Assert.NotNull(tensor.Verbatim);
    }

    [Fact]
    public void FullCopyIsCopiedByteForByte() =>
        Assert.Equal("base_model.model.lm_head.weight",
            new LoraCase(Fixtures.Path("lora"), "modules-to-save").Apply().Find("lm_head.weight")!.Verbatim!.Name);
}
