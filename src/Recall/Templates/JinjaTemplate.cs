using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Acornima.Ast;
using Jint;
using Jint.Native;
using Jint.Runtime;

namespace Recall.Templates;

/// <summary>Which of Jinja's settings a template is written for.</summary>
/// <param name="TrimBlocks">The line end after a statement and blanks before it are left out (<c>trim_blocks</c>,
/// <c>lstrip_blocks</c>).</param>
/// <param name="Strict">A variable that is not there is an error wherever it is printed or gone through (<c>StrictUndefined</c>).</param>
public readonly record struct JinjaOptions(bool TrimBlocks, bool Strict)
{
    /// <summary>As lm-eval reads the templates of its tasks; Recall's own options too.</summary>
    public static readonly JinjaOptions Task = new(TrimBlocks: false, Strict: true);

    /// <summary>As transformers reads chat templates.</summary>
    public static readonly JinjaOptions Chat = new(TrimBlocks: true, Strict: false);
}

/// <summary>
/// A Jinja template, parsed once. It runs in @huggingface/jinja inside Jint: no access to files, types or the network, and bounds on time, memory
/// and recursion for each rendering. May be used from several threads; renderings of one template queue.
/// </summary>
#pragma warning disable CA1001 // the engine holds managed memory only: nothing to give back
public sealed class JinjaTemplate
#pragma warning restore CA1001
{
    static readonly TimeSpan LongestRendering = TimeSpan.FromSeconds(10);
    const long MostMemory = 1L << 29;
    const int DeepestRecursion = 600, LongestSource = 1 << 20;

    static readonly Lazy<Prepared<Script>> Library = new(() => Engine.PrepareScript(
        $"var exports = {{}}, module = {{ exports }};\n{Resource("huggingface-jinja.js")}\n{Resource("recall-jinja.js")}", "jinja"));

    readonly Engine _engine;
    readonly JsValue _render, _program;
    readonly Lock _lock = new();
    readonly string _source, _where;
    readonly bool _strict;

    JinjaTemplate(string source, string where, JinjaOptions options)
    {
        (_source, _where, _strict) = (source, where, options.Strict);
        _engine = new Engine(setup =>
        {
            // Checks the stack of the thread at each call, and gives up where it ends: recursion is counted by function, and the parser has
            // many.
            setup.Constraints.MaxExecutionStackCount = 1;
            setup.LimitMemory(MostMemory)
                .LimitRecursion(DeepestRecursion)
                .TimeoutInterval(LongestRendering)
                .RegexTimeoutInterval(LongestRendering)
                .LocalTimeZone(TimeZoneInfo.Utc)
                .Culture(CultureInfo.InvariantCulture);
        });
        _engine.Execute(Library.Value);
        _render = _engine.GetValue("recallRender");
        var parsed = (JsObject)Run(() => _engine.Invoke("recallParse", source, options.TrimBlocks));
        if (parsed.Get("program") is { } program && !program.IsUndefined()) _program = program;
        else throw Failed(parsed, null);
    }

    /// <summary>Parses a template.</summary>
    /// <param name="source">The template.</param>
    /// <param name="where">What messages begin with: the file or key it stands in.</param>
    /// <param name="options">Default <see cref="JinjaOptions.Task"/>.</param>
    /// <exception cref="RecallException">Not a template, with its line.</exception>
    public static JinjaTemplate Parse(string source, string where, JinjaOptions? options = null)
    {
        if (source.Length > LongestSource)
            throw new RecallException($"{where}: a template of {source.Length} characters is too long; {LongestSource} are read");
        return new JinjaTemplate(source.ReplaceLineEndings("\n"), where, options ?? JinjaOptions.Task);
    }

    /// <summary>The template itself.</summary>
    public string Source => _source;

    /// <summary>The text for some variables.</summary>
    /// <exception cref="RecallException">A variable that is not there (with those that are), an error of the template, too much time,
    /// memory or recursion.</exception>
    public string Render(JsonObject variables)
    {
        string json = Tagged(variables);
        lock (_lock)
        {
            var result = Run(() => _engine.Invoke(_render, _program, json, _strict));
            return result.IsString() ? result.AsString() : throw Failed((JsObject)result, variables);
        }
    }

    JsValue Run(Func<JsValue> work)
    {
        try
        {
            return work();
        }
        catch (JavaScriptException e)
        {
            throw Error(null, e.Message, e);
        }
        catch (Exception e) when (e is TimeoutException or ExecutionCanceledException or System.Text.RegularExpressions.RegexMatchTimeoutException)
        {
            throw Error(null, $"takes more than {LongestRendering.TotalSeconds} s; is there a loop without end?", e);
        }
        catch (Exception e) when (e is MemoryLimitExceededException)
        {
            throw Error(null, $"takes more than {MostMemory >> 20} MiB of memory; make its loops shorter", e);
        }
        catch (Exception e) when (e is RecursionDepthOverflowException or InsufficientExecutionStackException)
        {
            throw Error(null, "calls itself without end, or nests too deep", e);
        }
    }

    RecallException Failed(JsObject failure, JsonObject? variables)
    {
        int line = failure.Get("line") is { } value && value.IsNumber() ? (int)value.AsNumber() : 1;
        if (variables is not null && failure.Get("unknown") is { } unknown && unknown.IsString())
            return Error(line, $"there is no {Quoted.Of(unknown.AsString())} in the row{Fields(unknown.AsString(), variables)}", null);
        return Error(line, failure.Get("error").ToString(), null);
    }

    /// <summary>The names that are there, for a message, the nearest first of all.</summary>
    internal static string Fields(string missing, JsonObject variables)
    {
        if (variables.Count == 0) return ", which has no fields";
        string? near = Quoted.Nearest(missing, variables.Select(field => field.Key));
        string names = string.Join(", ", variables.Take(20).Select(field => Quoted.Of(field.Key)));
        return $"; its fields are {names}{(variables.Count > 20 ? ", …" : "")}{(near is null ? "" : $"; did you mean {Quoted.Of(near)}?")}";
    }

    RecallException Error(int? line, string what, Exception? inner)
    {
        string message = $"{_where}: the template{(line is null ? "" : $", line {line}")}: {Plain(what)}";
        return inner is null ? new RecallException(message) : new RecallException(message, inner);
    }

    static string Plain(string text)
    {
        string quoted = Quoted.Of(text);
        return quoted[1..^1];
    }

    /// <summary>JSON in which a number is an object with its digits.</summary>
    static string Tagged(JsonObject variables)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            MaxDepth = 1000
        })) Write(variables, writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    static void Write(JsonNode? node, Utf8JsonWriter writer)
    {
        switch (node)
        {
            case null: writer.WriteNullValue(); break;
            case JsonArray list:
                writer.WriteStartArray();
                foreach (var item in list) Write(item, writer);
                writer.WriteEndArray();
                break;
            case JsonObject fields:
                writer.WriteStartObject();
                foreach (var (name, value) in fields)
                {
                    writer.WritePropertyName(name);
                    Write(value, writer);
                }
                writer.WriteEndObject();
                break;
            default:
                if (node.GetValueKind() == JsonValueKind.Number)
                {
                    writer.WriteStartObject();
                    writer.WriteString("\0", node.ToJsonString());
                    writer.WriteEndObject();
                }
                else
                {
                    node.WriteTo(writer);
                }
                break;
        }
    }

    static string Resource(string name)
    {
        using var stream = typeof(JinjaTemplate).Assembly.GetManifestResourceStream($"Recall.Templates.{name}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
