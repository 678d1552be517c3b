using System.Text.Json.Nodes;

namespace Recall.Data;

/// <summary>A row of a data file.</summary>
/// <param name="Number">From 1, in the order of the file.</param>
/// <param name="Fields">Its fields by name, in the order of the file. Numbers keep the digits they were written with.</param>
public sealed record DataRow(int Number, JsonObject Fields);

/// <summary>What a data file cannot say of itself.</summary>
/// <param name="Separator">Between the fields of a CSV row; default a tab for .tsv, a comma otherwise.</param>
/// <param name="Header">False: a CSV file begins with its first row, and its columns are column0, column1 …</param>
/// <param name="Field">The list of rows inside a JSON object: its key, or keys with dots between; default the only list of objects that is
/// there.</param>
public sealed record DataSetOptions(char? Separator = null, bool Header = true, string? Field = null);
