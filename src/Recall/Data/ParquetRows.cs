using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;
using Parquet;
using Parquet.Serialization;
using Recall.Checkpoints;

namespace Recall.Data;

/// <summary>Rows of Parquet, one row group at a time. Bytes are <c>{"$base64": …}</c>, dates and times ISO 8601, decimals text with all their places.</summary>
static class ParquetRows
{
    static readonly ParquetOptions Options = new() { UseDateOnlyTypeForDates = true, UseBigDecimal = true };

    public static IEnumerable<DataRow> Read(string path)
    {
        CheckEnds(path);
        int number = 0, groups = Guarded(path, "the footer cannot be read", () => CountGroups(path));
        for (int group = 0; group < groups; group++)
        {
            int index = group;
            var rows = Guarded(path, $"row group {group + 1} of {groups} cannot be read", () => ReadGroup(path, index));
            foreach (var row in rows) yield return new DataRow(++number, Guarded(path, $"row {number}", () => Fields(row)));
        }
    }

    /// <summary>What Parquet puts at both ends, checked before a library allocates what a broken footer asks for.</summary>
    static void CheckEnds(string path)
    {
        using var file = DataFile.Open(path);
        if (file.Length < 12) throw new RecallException($"{path}: has {file.Length} bytes, too few for a Parquet file");
        Span<byte> head = stackalloc byte[4], tail = stackalloc byte[8];
        file.Read(0, head);
        file.Read(file.Length - 8, tail);
        if (tail[4..].SequenceEqual("PARE"u8)) throw new RecallException($"{path}: is an encrypted Parquet file, which Recall does not read");
        if (!head.SequenceEqual("PAR1"u8)) throw new RecallException($"{path}: is not a Parquet file: no PAR1 at the start");
        if (!tail[4..].SequenceEqual("PAR1"u8)) throw new RecallException($"{path}: is not a complete Parquet file: no PAR1 at the end; was the download cut short?");
        uint footer = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (footer == 0 || footer > file.Length - 12) throw new RecallException($"{path}: its footer should have {footer} bytes, but the file has {file.Length}");
    }

    static int CountGroups(string path)
    {
        using var stream = File.OpenRead(path);
        var reader = ParquetReader.CreateAsync(stream, Options).GetAwaiter().GetResult();
        return reader.RowGroupCount;
    }

    static IList<Dictionary<string, object>> ReadGroup(string path, int group)
    {
        using var stream = File.OpenRead(path);
        return ParquetSerializer.DeserializeUntypedAsync(stream, Options, group).GetAwaiter().GetResult().Data;
    }

    static T Guarded<T>(string path, string what, Func<T> work)
    {
        try
        {
            return work();
        }
        // The library throws whatever its decoders meet in a broken file: casts, ranges, overflows.
        catch (Exception e) when (e is not (RecallException or OutOfMemoryException))
        {
            throw new RecallException($"{path}: {what}: {Quoted.Of(e.Message)[1..^1]}; the file is broken, or of a kind of Parquet that Recall does not read", e);
        }
    }

    static JsonObject Fields(IDictionary<string, object> row)
    {
        var fields = new JsonObject();
        foreach (var (name, value) in row) fields[name] = Node(value);
        return fields;
    }

    static JsonNode? Node(object? value) => value switch
    {
        null => null,
        string text => JsonValue.Create(text),
        bool truth => JsonValue.Create(truth),
        byte[] bytes => new JsonObject { ["$base64"] = Convert.ToBase64String(bytes) },
        Half number => DataSet.Number((double)number),
        float number => DataSet.Number(number),
        double number => DataSet.Number(number),
        sbyte or byte or short or ushort or int or uint or long or ulong => JsonNode.Parse(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture)),
        DateTime time => JsonValue.Create(Iso(time)),
        DateTimeOffset time => JsonValue.Create(Iso(time.UtcDateTime)),
        DateOnly date => JsonValue.Create(date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
        TimeOnly time => JsonValue.Create(time.ToString(time.Ticks % 10_000_000 == 0 ? "HH:mm:ss" : "HH:mm:ss.ffffff", CultureInfo.InvariantCulture)),
        TimeSpan time => JsonValue.Create(time.ToString(time.Ticks % 10_000_000 == 0 ? @"hh\:mm\:ss" : @"hh\:mm\:ss\.ffffff", CultureInfo.InvariantCulture)),
        IDictionary<string, object> fields => Fields(fields),
        IDictionary map => new JsonArray([.. map.Cast<object>().Select(entry => Pair((DictionaryEntry)entry))]),
        IEnumerable list => new JsonArray([.. list.Cast<object?>().Select(Node)]),
        IFormattable other => JsonValue.Create(other.ToString(null, CultureInfo.InvariantCulture)),
        _ => JsonValue.Create(value.ToString()),
    };

    static JsonArray Pair(DictionaryEntry entry) => [Node(entry.Key), Node(entry.Value)];

    static string Iso(DateTime time)
    {
        string text = time.ToString(time.Ticks % 10_000_000 == 0 ? "yyyy-MM-ddTHH:mm:ss" : "yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture);
        return time.Kind == DateTimeKind.Utc ? text + "+00:00" : text;
    }
}
