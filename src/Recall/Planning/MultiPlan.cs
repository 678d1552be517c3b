using System.Collections.Immutable;
using Recall.Checkpoints;
using Recall.Configuration;

namespace Recall.Planning;

/// <summary>
/// The merges of a <see cref="MultiConfig"/>, all planned before the first is run: models that an earlier one is yet to write are known by
/// its plan.
/// </summary>
/// <param name="Steps">The merges, in the order in which they are run.</param>
/// <param name="Notes">What the user should know of the whole; each plan has notes of its own.</param>
public sealed record MultiPlan(ImmutableArray<MultiStep> Steps, ImmutableArray<string> Notes)
{
    /// <summary>Plans all merges and checks their folders.</summary>
    /// <param name="config">The merges.</param>
    /// <param name="options">
    /// How they are run; <see cref="MergeOptions.Output"/> is the folder of the one without a name (empty: none).
    /// </param>
    /// <param name="intermediate">The folder in which each merge with a name gets a folder of that name.</param>
    /// <param name="lazy">
    /// True: a merge whose folder holds a model already is not run again. False: it is, and takes the place of the old one.
    /// </param>
    /// <exception cref="RecallException">Something is wrong with one of them; nothing has been written.</exception>
    public static MultiPlan Make(MultiConfig config, MergeOptions options, string intermediate, bool lazy = true)
    {
        var planned = new Dictionary<string, Checkpoint>(StringComparer.Ordinal);
        var steps = ImmutableArray.CreateBuilder<MultiStep>();
        var notes = ImmutableArray.CreateBuilder<string>();
        CheckFolders(config, options.Output, intermediate);
        bool seeded = options.SeedIsGiven;
        options = options with { SeedIsGiven = false };     // said once, not of each
        if (options.Output.Length > 0 && config.Merges.All(merge => merge.Name is not null))
            notes.Add($"every document has a name: all results go to {intermediate}, none to {options.Output}");
        foreach (var merge in config.Merges)
        {
            var own = options with { Output = merge.Name is null ? options.Output : Path.Combine(intermediate, merge.Name) };
            if (own.Output.Length == 0)
                throw merge.Place.Error("this document has no name, and no output folder is given for it (--out-path)");
            var resolved = Resolve(merge, intermediate);
            bool there = FinishedMerge.IsIn(own.Output);
            if (lazy && there)
            {
                FinishedMerge.CheckIsOf(own.Output, resolved.Text, merge);
                foreach (string need in merge.Needs.Where(need => planned.ContainsKey(Path.Combine(intermediate, need))))
                    notes.Add(
                        $"{own.Output} is kept as it is, though {Path.Combine(intermediate, need)}, of which it is made, is made anew");
                steps.Add(new MultiStep(merge.Name, resolved, own, null, Replaces: false));
                continue;
            }
            var plan = MergePlan.Make(resolved, own, path => planned.GetValueOrDefault(path) ?? Checkpoint.Open(path));
            // The result itself is the user's: it is never replaced.
            bool replaces = there && merge.Name is not null;
            if (replaces) FinishedMerge.CheckCanBeReplaced(own.Output);
            else OutputFolder.Check(plan);
            planned[own.Output] = PlannedTensor.Output(plan);
            steps.Add(new MultiStep(merge.Name, resolved, own, plan, replaces));
        }
        if (seeded && steps.All(step => step.Forecast is not { Method.IsRandom: true }))
            notes.Add($"--random-seed {options.Seed}: without effect: none of the merges that are run draws random numbers");
        return new MultiPlan(steps.ToImmutable(), notes.ToImmutable());
    }

    /// <summary>The config with the folders of the other documents in place of their names; its text says what those names are.</summary>
    static MergeConfig Resolve(NamedMerge merge, string intermediate)
    {
        if (merge.Needs.IsEmpty) return merge.Config;
        var resolved = merge.Config.WithModels(model => merge.Needs.Contains(model.Model.Path)
            ? model with { Model = model.Model with { Path = Path.Combine(intermediate, model.Model.Path) } }
            : model);
        string names = string.Join(", ", merge.Needs);
        return resolved with { Text = $"# Of a file of several merges; other documents of it: {names}\n{resolved.Text}" };
    }

    /// <summary>A folder to write must be empty, so that none can hold another one; later it would be too late to say so.</summary>
    static void CheckFolders(MultiConfig config, string output, string intermediate)
    {
        if (output.Length == 0) return;
        string result = Inside(output);
        foreach (var merge in config.Merges)
        {
            if (merge.Name is null) continue;
            string part = Inside(Path.Combine(intermediate, merge.Name));
            if (part.StartsWith(result, StringComparison.Ordinal) || result.StartsWith(part, StringComparison.Ordinal))
                throw new RecallException($"{output}: the folder of the result and that of {Quoted.Of(merge.Name)} in {intermediate} lie in one another; "
                    + "name another --out-path or --intermediate-dir");
        }
        static string Inside(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar;
    }
}

/// <summary>One merge of a <see cref="MultiPlan"/>.</summary>
/// <param name="Name">Its name in the file; null: it is the result.</param>
/// <param name="Config">What it merges, with the folders of the merges that it needs.</param>
/// <param name="Options">How it is run.</param>
/// <param name="Forecast">
/// Its plan, made before the models that it needs are written; null: it is there already. It cannot be run: <see cref="Plan"/> makes the one
/// that can.
/// </param>
/// <param name="Replaces">True: its folder holds an older result that goes.</param>
public sealed record MultiStep(string? Name, MergeConfig Config, MergeOptions Options, MergePlan? Forecast, bool Replaces)
{
    /// <summary>The plan to run, once the steps before this one are done; an older result is deleted.</summary>
    public MergePlan Plan()
    {
        var plan = MergePlan.Make(Config, Options);
        if (Replaces) FinishedMerge.Delete(Options.Output);
        return plan;
    }
}
