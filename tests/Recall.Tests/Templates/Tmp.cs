using System.Text.Json.Nodes;
using Recall.Templates;
using System.Diagnostics;
namespace Recall.Tests.Templates;
public class TmpTests
{
    [Fact]
    public void Features()
    {
        var o = new System.Text.StringBuilder(); int ok = 0, n = 0;
        foreach (string line in File.ReadLines("/work/shared/golden/chat_templates/features.jsonl"))
        {
            var row = JsonNode.Parse(line)!; n++;
            string got; bool error = false;
            try { got = JinjaTemplate.Parse((string)row["template"]!, "t", JinjaOptions.Chat).Render((JsonObject)row["variables"]!.DeepClone()); } catch (RecallException e) { got = e.Message; error = true; }
            bool good = row["text"] is { } t ? !error && got == (string)t! : error;
            if (good) ok++; else o.Append($"{row["name"]}: {row["template"]!.ToJsonString()} got {got.ReplaceLineEndings("\\n")} wanted {row["text"]?.ToJsonString()} {row["error"]?.ToJsonString()}\n");
        }
        o.Append($"{ok}/{n}\n");
        var w = Stopwatch.StartNew();
        var p = JinjaTemplate.Parse("Question: {{question}}\n{% for c in choices %}{{'ABCDE'[loop.index0]}}. {{c}}\n{% endfor %}Answer:", "t");
        o.Append($"parse {w.ElapsedMilliseconds}\n");
        var v = JsonNode.Parse("{\"question\":\"What?\",\"choices\":[\"a\",\"b\",\"c\",\"d\"]}")!.AsObject();
        o.Append(p.Render(v));
        w.Restart(); for (int i = 0; i < 2000; i++) p.Render(v);
        o.Append($"\n2000 renders {w.ElapsedMilliseconds}\n");
        foreach (string bad in new[] { "a\nb{{ x }", "a\n{% if x %}b", "{{ a }}\n\n{{ nope }}", "a\n\n{{ 'x }}", "{% for i in range(100000000) %}{% for j in range(100) %}a{% endfor %}{% endfor %}", "{% macro f(x) %}{{ f(x) }}{% endmacro %}\n{{ f(1) }}", "{{ a.b.c.d }}", "{{ 1 / 0 }}", "{{ [1] * 3 }}", "{% set x = 'aaaaaaaaaa' %}{% for i in range(60) %}{% set x = x ~ x %}{% endfor %}", "\n{{ raise_exception('no!') }}", "{{ host.System }}", "\n\n{% for q in nope %}{% endfor %}", "{{ (((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))) }}", "{{ " + new string('(', 20000) })
        {
            w.Restart(); string r;
            try { r = "OK " + JinjaTemplate.Parse(bad, "f.yaml").Render(new JsonObject { ["a"] = 1 }); } catch (RecallException e) { r = e.Message; } catch (Exception e) { r = "CRASH " + e; }
            o.Append($"{bad[..Math.Min(40, bad.Length)].ReplaceLineEndings("\\n")} -> {r} ({w.ElapsedMilliseconds} ms)\n");
        }
        File.WriteAllText("/tmp/jinja.txt", o.ToString());
    }
}
