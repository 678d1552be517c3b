using System.Text.Json.Nodes;
using Recall.Data.Tasks;
using Recall.Templates;

namespace Recall.Tests.Data.Tasks;

/// <summary>Prompts and continuations that lm-eval 0.4.13 made of its task files, without examples before them (golden/lm-eval beside the
/// repository).</summary>
public class GoldenTaskTests
{
    [Fact]
    public void PromptsAndContinuationsAreThoseOfLmEval()
    {
        string root = Fixtures.Shared("golden", "lm-eval", "features");
        var failures = new List<string>();
        int compared = 0;
        foreach (var (run, result) in JsonNode.Parse(File.ReadAllText(Path.Combine(root, "results.json")))!.AsObject())
        {
            string samples = Path.Combine(root, "samples", run + ".jsonl"), file = Path.Combine(root, "tasks",
                (string)result!["task"]! + ".yaml");
            if (result["n-shot"]?.AsObject().All(entry => (int?)entry.Value == 0) != true
                || result["options"]!["apply_chat_template"] is not null || !File.Exists(samples)) continue;
            if (result["options"]!["system_instruction"] is not null) continue;
            var task = EvaluationTask.Read(file);
            if (task.GenerationPrefix is not null) continue;
            var rows = task.Rows(task.Split("test") is null ? "validation" : "test");
            foreach (var sample in File.ReadLines(samples).Select(line => JsonNode.Parse(line)!))
            {
                var row = rows[(int)sample["doc_id"]!];
                var example = task.Example(row);
                if (sample["prompt"] is { } prompt)
                {
                    IEnumerable<string> wanted = prompt is JsonArray several ? several.Select(item => (string)item!) : [(string)prompt!];
                    string[] made = [.. example.Prompts.Select(text => task.Description(row) + text)];
                    // acc_mutual_info asks for the choices without a prompt too: that is the evaluation's.
                    if (!made.Distinct().SequenceEqual(wanted.Distinct().Where(text => text.Length > 0
                        || made.Contains("")))) failures.Add($"{run} {sample["doc_id"]}: prompt {Show(made)}, wanted {prompt.ToJsonString()}");
                    compared++;
                }
                if (sample["continuations"] is JsonArray continuations && task.OutputType != "generate_until")
                {
                    var wanted = continuations.Select(item => (string)item!).ToList();
                    if (!example.Continuations.SequenceEqual(wanted.Take(example.Continuations.Count))
                        || !wanted.Distinct().SequenceEqual(example.Continuations.Distinct()))
                        failures.Add($"{run} {sample["doc_id"]}: continuations {Show(example.Continuations)}, wanted {continuations.ToJsonString()}");
                }
            }
        }
        Assert.True(failures.Count == 0, string.Join('\n', failures.Take(40)));
        Assert.InRange(compared, 200, int.MaxValue);
    }

    [Fact]
    public void TemplatesOfTasksRenderAsInPythonOrAreRefused()
    {
        var failures = new List<string>();
        int refused = 0;
        foreach (var row in File.ReadLines(Fixtures.Shared("golden", "lm-eval", "features", "jinja.jsonl")).Select(line =>
            JsonNode.Parse(line)!))
        {
            string made;
            bool failed = false;
            try
            {
                made = JinjaTemplate.Parse((string)row["template"]!, "t").Render(row["doc"]!.AsObject());
            }
            catch (RecallException e)
            {
                (made, failed) = (e.Message, true);
            }
            if (failed && row["text"] is not null) refused++;
            else if (row["text"] is { } text ? failed || made != (string)text! : !failed)
                failures.Add($"{row["template"]!.ToJsonString()}: {made}, wanted {row["text"]?.ToJsonString() ?? row["error"]?.ToJsonString()}");
        }
        // The lower case of U+0130 is two characters for Python, one for .NET without ICU.
        failures.RemoveAll(failure => failure.Contains("\\u0130", StringComparison.Ordinal));
        Assert.True(failures.Count == 0, $"{failures.Count}\n" + string.Join('\n', failures));
        Assert.InRange(refused, 0, 16);
    }

    [Fact]
    public void TaskFilesThatRecallCannotReadAreRefusedWithAReason()
    {
        string root = Fixtures.Shared("golden", "lm-eval", "features", "refused");
        foreach (string name in new[] { "choice_not_a_list", "include_cycle", "include_missing", "no_such_file", "not_a_mapping",
            "python_class", "template_syntax", "undefined_field", "unknown_key", "unknown_output_type", "unsafe_code", "image",
            "function_tag" })
        {
            var error = Assert.ThrowsAny<RecallException>(() =>
            {
                var task = EvaluationTask.Read(Path.Combine(root, name + ".yaml"));
                foreach (var row in task.Rows("test")) task.Example(row);
            });
            Assert.DoesNotContain(error.Message, char.IsControl);
            Assert.InRange(error.Message.Length, 30, 600);
        }
    }

    static string Show(IEnumerable<string> texts) => new JsonArray([.. texts.Select(text => (JsonNode)text)]).ToJsonString();
}
