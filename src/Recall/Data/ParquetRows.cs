using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;
using Parquet;
using Parquet.Schema;
using Parquet.Serialization;
using Recall.Checkpoints;

namespace Recall.Data;

/// <summary>Rows of Parquet, one row group at a time. Bytes are <c>{"$base64": …}</c>, dates and times ISO 8601, decimals text with all
/// their places.</summary>
static class ParquetRows
{
    static readonly ParquetOptions Options = new() { UseDateOnlyTypeForDates = true };

    public static IEnumerable<DataRow> Read(string path)
    {
        CheckEnds(path);
        var (schema, groups) = Guarded(path, "the footer cannot be read", () => ReadFooter(path));
        int number = 0;
        for (int group = 0; group < groups; group++)
        {
            int index = group;
            var rows = Guarded(path, $"row group {group + 1} of {groups} cannot be read", () => ReadGroup(path, index));
            foreach (var row in rows) yield return new DataRow(++number, Guarded(path, $"row {number}", () => Fields(row, schema.Fields)));
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
        if (!tail[4..].SequenceEqual("PAR1"u8))
            throw new RecallException($"{path}: is not a complete Parquet file: no PAR1 at the end; was the download cut short?");
        uint footer = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (footer == 0 || footer > file.Length - 12)
            throw new RecallException($"{path}: its footer should have {footer} bytes, but the file has {file.Length}");
    }

    static (ParquetSchema Schema, int Groups) ReadFooter(string path)
    {
        using var stream = File.OpenRead(path);
        var reader = ParquetReader.CreateAsync(stream, Options).GetAwaiter().GetResult();
        var groups = reader.Metadata?.RowGroups ?? [];
        foreach (var chunk in groups.SelectMany(group => group.Columns).Select(column =>
            column.MetaData).OfType<Parquet.Meta.ColumnMetaData>())
        {
            // Parquet.Net 6.1 cuts characters of more than one byte in this encoding apart, in silence.
            bool text = reader.Schema.DataFields.Any(field => (field.ClrType == typeof(string)
                || field.ClrType == typeof(ReadOnlyMemory<char>)) && field.Path.ToList().SequenceEqual(chunk.PathInSchema));
            if (text && chunk.Encodings.Contains(Parquet.Meta.Encoding.DELTA_BYTE_ARRAY))
                throw new RecallException($"{path}: column {Quoted.Of(string.Join('.', chunk.PathInSchema))} is in the encoding DELTA_BYTE_ARRAY, which "
                    + "Recall does not read; write it anew with the writer's default encodings");
        }
        return (reader.Schema, groups.Sum(group => group.NumRows) == 0 ? 0 : reader.RowGroupCount);
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
        catch (RecallException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw new RecallException($"{path}: {what}: {e.Message}", e);
        }
        catch (Exception e) when (e is not (RecallException or OutOfMemoryException))
        {
            throw new RecallException($"{path}: {what}: {Quoted.Of(e.Message)[1..^1]}; the file is broken, or of a kind of Parquet that Recall does not "
                + "read", e);
        }
    }

    /// <summary>The library leaves nulls and empty lists out of a row: the schema says which fields there are. A list that is null is read
    /// as empty.</summary>
    static JsonObject Fields(IDictionary<string, object> row, IReadOnlyList<Field> schema)
    {
        var fields = new JsonObject();
        foreach (var field in schema) fields[field.Name] = Node(row.TryGetValue(field.Name, out object? value) ? value : null, field);
        return fields;
    }

    static JsonNode? Node(object? value, Field field) => (value, field) switch
    {
        (null, ListField) => new JsonArray(),
        (null, _) => null,
        (IDictionary<string, object> fields, StructField parent) => Fields(fields, parent.Fields),
        (IEnumerable items, ListField list) => new JsonArray([.. items.Cast<object?>().Select(item => Node(item, list.Item))]),
        (long or int, DataField { SchemaElement.LogicalType.TIME: { } unit }) =>
            JsonValue.Create(Time(((IConvertible)value).ToInt64(CultureInfo.InvariantCulture), unit.Unit)),
        (_, MapField) => throw new RecallException($"column {Quoted.Of(field.Name)} is a map, which Recall does not read"),
        _ => Node(value),
    };

    static string Time(long value, Parquet.Meta.TimeUnit unit)
    {
        var time = new TimeOnly(unit.MILLIS is not null ? value * TimeSpan.TicksPerMillisecond : unit.MICROS is not null
            ? value * TimeSpan.TicksPerMicrosecond : value / 100);
        return time.ToString(time.Ticks % TimeSpan.TicksPerSecond == 0 ? "HH:mm:ss" : "HH:mm:ss.ffffff", CultureInfo.InvariantCulture);
    }

    static JsonNode? Node(object value) => value switch
    {
        string text => JsonValue.Create(text),
        ReadOnlyMemory<char> text => JsonValue.Create(text.ToString()),
        ReadOnlyMemory<byte> bytes => new JsonObject { ["$base64"] = Convert.ToBase64String(bytes.Span) },
        bool truth => JsonValue.Create(truth),
        byte[] bytes => new JsonObject { ["$base64"] = Convert.ToBase64String(bytes) },
        Half number => DataSet.Number((double)number),
        float number => DataSet.Number(number),
        double number => DataSet.Number(number),
        sbyte or byte or short or ushort or int or uint or long or ulong =>
            JsonNode.Parse(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture)),
        DateTime time => JsonValue.Create(Iso(time)),
        DateOnly date => JsonValue.Create(date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
        TimeOnly time => JsonValue.Create(time.ToString("HH:mm:ss.ffffff", CultureInfo.InvariantCulture)),
        TimeSpan time => JsonValue.Create(time.ToString(@"hh\:mm\:ss\.ffffff", CultureInfo.InvariantCulture)),
        IFormattable other => JsonValue.Create(other.ToString(null, CultureInfo.InvariantCulture)),
        _ => throw new RecallException($"values of the type {value.GetType().Name} are not read"),
    };

    static string Iso(DateTime time)
    {
        string text = time.ToString(time.Ticks % 10_000_000 == 0 ? "yyyy-MM-ddTHH:mm:ss"
            : "yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture);
        return time.Kind == DateTimeKind.Utc ? text + "+00:00" : text;
    }
}
