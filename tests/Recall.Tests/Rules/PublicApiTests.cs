using PublicApiGenerator;

namespace Recall.Tests.Rules;

public class PublicApiTests
{
    /// <summary>
    /// What a library user sees is one text file, read in every review. After a change that is meant:
    /// <c>RECALL_UPDATE_GOLDEN=1 dotnet test --project tests/Recall.Tests -c Release --filter-class "*PublicApiTests"</c>.
    /// </summary>
    [Fact]
    public void ThePublicApiIsTheOneThatWasReviewed() =>
        GoldenText.Match("public-api.txt", typeof(RecallException).Assembly.GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false }));
}
