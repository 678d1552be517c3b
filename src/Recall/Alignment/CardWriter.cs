using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Recall.Checkpoints;
using Recall.Checkpoints.Safetensors;
using Recall.Numerics;
using Recall.Representations;
using static TorchSharp.torch;

namespace Recall.Alignment;

/// <summary>Writes a card moment by moment, as the layers go by, beside its place; <see cref="Finish(string, string, long)"/> gives it its name.</summary>
sealed class CardWriter : IDisposable
{
    readonly string _path, _aside;
    readonly int? _rank;
    readonly Dictionary<string, (long Offset, DType Type, Shape Shape)> _places = new(StringComparer.Ordinal);
    readonly SafeFileHandle _file;
    bool _done;

    /// <summary>Opens the file.</summary>
    /// <param name="path">Where the card is to lie; one that is there is replaced at the end.</param>
    /// <param name="inputs">Names and sizes of the inputs.</param>
    /// <param name="rank">Eigenvectors a moment; null: whole matrices.</param>
    /// <param name="experts">How many experts it stands for.</param>
    /// <param name="answers">Weight of the answers' tokens.</param>
    /// <param name="demand">The metadata <see cref="CardLayout.Demand"/>; null: none.</param>
    /// <param name="resume">Goes on with what a writer that was closed as <see cref="IsKept"/>, or killed, has left: its moments count.
    /// </param>
    /// <exception cref="RecallException">The disk refuses.</exception>
    public CardWriter(string path, IReadOnlyList<(string Name, int Size)> inputs, int? rank, int experts, double answers,
        string? demand = null, bool resume = false)
    {
        (_path, _aside, _rank) = (path, path + ".partial", rank);
        var tensors = CardLayout.Tensors(inputs, rank);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["format"] = CardLayout.Format,
            ["experts"] = experts.ToString(CultureInfo.InvariantCulture),
            ["answers"] = answers.ToString("R", CultureInfo.InvariantCulture),
            ["rank"] = rank?.ToString(CultureInfo.InvariantCulture) ?? "full",
        };
        if (demand is not null) metadata.Add(CardLayout.Demand, demand);
        var (header, offsets, length) = SafetensorsHeader.Make(tensors, metadata);
        for (int i = 0; i < tensors.Count; i++) _places.Add(tensors[i].Name, (offsets[i], tensors[i].Type, tensors[i].Shape));
        try
        {
            if (System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
            resume = resume && File.Exists(_aside) && new FileInfo(_aside).Length == length;
            _file = File.OpenHandle(_aside, resume ? FileMode.Open : FileMode.Create, FileAccess.Write, FileShare.None);
            IsResumed = resume;
            RandomAccess.SetLength(_file, length);
            RandomAccess.Write(_file, header, 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refused(e);
        }
    }

    /// <summary>True where an earlier writer's moments are in the file.</summary>
    public bool IsResumed { get; }

    /// <summary>Whether the file is to stay, to go on from, though it is closed before <see cref="Finish(string, string, long)"/>.</summary>
    public bool IsKept { get; set; }

    /// <summary>Brings the moments so far to the disk.</summary>
    /// <exception cref="RecallException">The disk refuses.</exception>
    public void Flush()
    {
        try
        {
            RandomAccess.FlushToDisk(_file);
        }
        catch (IOException e)
        {
            throw Refused(e);
        }
    }

    /// <summary>Writes the moment of an input; it stays the caller's.</summary>
    public void Write(string input, SecondMoment moment)
    {
        using var scope = NewDisposeScope();
        double trace = moment.Trace;
        Span<byte> scalars = stackalloc byte[16];
        BinaryPrimitives.WriteDoubleLittleEndian(scalars, trace);
        BinaryPrimitives.WriteDoubleLittleEndian(scalars[8..], moment.Ridge);
        Write(input + CardLayout.Scalars, scalars);
        if (_rank is not { } rank)
        {
            Write(input + CardLayout.Moment, moment.Matrix ?? moment.ToMatrix());
            return;
        }
        var (values, vectors) = Eigenpairs.Largest(moment.Matrix ?? moment.ToMatrix(), Math.Min(rank, moment.Size));
        values = values.AtLeastZero();
        // The diagonal makes up for what the vectors lose by their type, too.
        var rounded = vectors.t().to_type(ScalarType.Float16).to_type(ScalarType.Float64);
        Write(input + CardLayout.Values, values);
        Write(input + CardLayout.Vectors, vectors.t());
        Write(input + CardLayout.Diagonal, moment.DiagonalValues().Minus((rounded.Squared() * values.unsqueeze(1)).ColumnSums()).AtLeastZero());
    }

    /// <summary>Writes the sum of a merge's moments, with the ridge that it was solved with.</summary>
    public void Write(string input, StepSystem system)
    {
        using var sum = new SecondMoment(system.Size) { Matrix = system.Sum?.alias() ?? Sum(system.Moments), Ridge = system.Ridge };
        Write(input, sum);
    }

    static Tensor Sum(IReadOnlyList<SecondMoment> moments)
    {
        var sum = moments[0].ToMatrix();
        foreach (var moment in moments.Skip(1)) moment.AddTo(sum);
        return sum;
    }

    /// <summary>The same for a merged model: the print of all texts; zeros where an expert has a card only.</summary>
    public void Finish(string model, IReadOnlyCollection<AlignmentExpert> experts) => Finish(
        model, experts.All(expert => expert.Texts.Count > 0) ? ModelPrint.Of(experts.SelectMany(expert => expert.Texts)) : new string('0', 64),
        experts.Sum(expert => expert.Texts.Sum(text => (long)text.Ids.Length)));

    /// <summary>Writes what is known at the end, and gives the card its name.</summary>
    /// <param name="model">The print of its model.</param>
    /// <param name="samples">The print of its texts.</param>
    /// <param name="tokens">Their tokens.</param>
    public void Finish(string model, string samples, long tokens)
    {
        Span<byte> count = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(count, tokens);
        Write(CardLayout.TokensTensor, count);
        Write(CardLayout.ModelTensor, Convert.FromHexString(model));
        Write(CardLayout.SamplesTensor, Convert.FromHexString(samples));
        Flush();
        try
        {
            _file.Dispose();
            File.Move(_aside, _path, overwrite: true);
            _done = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refused(e);
        }
    }

    void Write(string name, Tensor values)
    {
        var place = _places[name];
        using var flat = values.contiguous().view(-1);
        var encoding = PlainEncoding.Of(place.Type);
        var bytes = new byte[(int)encoding.Bytes(Math.Min(place.Shape.Elements, TileReader.TileElements))];
        for (long first = 0; first < place.Shape.Elements; first += TileReader.TileElements)
        {
            using var some = flat.narrow(0, first, Math.Min(TileReader.TileElements, place.Shape.Elements - first));
            using var tile = some.to_type(ScalarType.Float32);
            var part = bytes.AsSpan(0, (int)encoding.Bytes(tile.numel()));
            encoding.Encode(MemoryMarshal.Cast<byte, float>(tile.bytes), part);
            WriteAt(place.Offset + encoding.Bytes(first), part);
        }
    }

    void Write(string name, ReadOnlySpan<byte> bytes) => WriteAt(_places[name].Offset, bytes);

    void WriteAt(long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_file, bytes, offset);
        }
        catch (IOException e)
        {
            throw Refused(e);
        }
    }

    RecallException Refused(Exception e) => new($"{_path}: the card cannot be written: {e.Message}", e);

    /// <summary>Closes the file; without <see cref="Finish(string, string, long)"/> it is deleted, unless it <see cref="IsKept"/>.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (!_done && !IsKept) File.Delete(_aside);
    }
}
