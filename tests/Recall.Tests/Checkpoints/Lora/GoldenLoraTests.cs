namespace Recall.Tests.Checkpoints.Lora;

public class GoldenLoraTests
{
    public static TheoryData<string> Cases() => [.. LoraCase.Names(Fixtures.Path("lora"))];

    [Theory, MemberData(nameof(Cases))]
    public void AdapterGivesTheModelOfPeftOrIsRefusedWithAReason(string name) => new LoraCase(Fixtures.Path("lora"), name).Check();

    [Fact]
    public void EveryCaseOfTheReferenceMaterialHolds()
    {
        string root = Fixtures.Shared("golden", "lora");
        var names = LoraCase.Names(root).ToList();
        Assert.True(names.Count > 100);
        Assert.Multiple([.. names.Select(name => (Action)(() =>
        {
            var e = Record.Exception(() => new LoraCase(root, name).Check());
            Assert.True(e is null, $"{name}: {e?.Message}");
        }))]);
    }
}
