using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace Recall.Tests.Rules;

/// <summary>The same packages on every machine: versions in one file, hashes in lock files, licences told.</summary>
public class PackagesTests
{
    static string[] Projects => Directory.GetFiles(Fixtures.InRepository(), "*.csproj", SearchOption.AllDirectories)
        .Where(file => !file.Contains("/artifacts/")).Order(StringComparer.Ordinal).ToArray();

    static Dictionary<string, string> Central => XDocument.Load(Fixtures.InRepository("Directory.Packages.props")).Descendants("PackageVersion")
        .ToDictionary(version => (string)version.Attribute("Include")!, version => (string)version.Attribute("Version")!, StringComparer.OrdinalIgnoreCase);

    [Fact]
    public void VersionsStandInDirectoryPackagesPropsOnlyAndAreExact()
    {
        Assert.All(Central, version => Assert.Matches(@"^\d+\.\d+\.\d+[0-9A-Za-z.-]*$", version.Value));
        foreach (string project in Projects)
        {
            foreach (var reference in XDocument.Load(project).Descendants("PackageReference"))
            {
                Assert.Null(reference.Attribute("Version") ?? reference.Attribute("VersionOverride"));
                Assert.Contains((string)reference.Attribute("Include")!, Central.Keys);
            }
        }
    }

    [Fact]
    public void EveryProjectHasALockFileOfTheCentralVersions()
    {
        Assert.NotEmpty(Projects);
        var central = Central;
        foreach (string project in Projects)
        {
            string lockFile = Path.Combine(Path.GetDirectoryName(project)!, "packages.lock.json");
            Assert.True(File.Exists(lockFile), $"{lockFile} is missing: build once and commit it");
            foreach (var (name, resolved) in Locked(lockFile))
                if (central.TryGetValue(name, out string? version)) Assert.Equal((name, version), (name, resolved));
        }
    }

    [Fact]
    public void EveryPackageThatShipsIsInTheNotices()
    {
        string notices = File.ReadAllText(Fixtures.InRepository("THIRD-PARTY-NOTICES.md"));
        string[] builders = ["Meziantou.Analyzer", "Microsoft.CodeAnalysis.BannedApiAnalyzers"];
        foreach (var (name, version) in Locked(Fixtures.InRepository("src", "Recall.Cli", "packages.lock.json")))
        {
            if (builders.Contains(name)) continue;
            Assert.True(notices.Contains($"| {name} | {version} |", StringComparison.Ordinal), $"THIRD-PARTY-NOTICES.md has no row for {name} {version}");
        }
    }

    static IEnumerable<(string Name, string Version)> Locked(string lockFile) =>
        JsonNode.Parse(File.ReadAllText(lockFile))!["dependencies"]!.AsObject()
            .SelectMany(framework => framework.Value!.AsObject())
            .Where(package => package.Value!["resolved"] is not null)
            .Select(package => (package.Key, (string)package.Value!["resolved"]!))
            .Distinct();
}
