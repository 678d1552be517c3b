using System.Globalization;
using System.Numerics;

namespace Recall.Checkpoints.Pickle;

/// <summary>
/// A pickle machine that knows only what state dicts need: containers, texts, numbers, storages, tensors. It calls nothing: a name that is not on the
/// list of <see cref="PickleGlobals"/> ends it at once. Memory is bounded by the limits below, time by the length of the stream.
/// </summary>
/// <param name="stream">The bytes.</param>
/// <param name="keepLists">Keep the elements of lists.</param>
sealed class PickleReader(PickleStream stream, bool keepLists = false)
{
    const int HighestProtocol = 5, DeepestStack = 250_000, MostObjects = 4_000_000, LongestInteger = 16, LongestDigits = 40;

    static readonly object Mark = new();
    static readonly object[] SmallIntegers = [.. Enumerable.Range(0, 256).Select(value => (object)(long)value)];

    readonly List<object> _stack = [];
    readonly Dictionary<uint, object> _memo = [];
    readonly PickleBuilder _builder = new(stream);
    int _objects;

    /// <summary>Runs to STOP and returns the object.</summary>
    /// <exception cref="RecallException">Broken, or not only what state dicts need.</exception>
    public object Read()
    {
        while (true)
        {
            byte code = stream.Byte();
            if (code == '.') break;
            Execute(code);
            if (_stack.Count > DeepestStack) throw stream.Bad($"leaves more than {DeepestStack} objects on its stack");
        }
        object result = Pop();
        if (_stack.Count > 0) throw stream.Bad($"leaves {_stack.Count} objects on its stack at STOP");
        return result;
    }

    void Execute(byte code)
    {
        switch (code)
        {
            case 0x80:
                byte protocol = stream.Byte();
                if (protocol > HighestProtocol) throw stream.Bad($"has pickle protocol {protocol}; Recall reads 0 to {HighestProtocol}");
                break;
            case 0x95: stream.UInt64(); break;      // FRAME: a hint for buffering
            case (byte)'(': Push(Mark); break;
            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case (byte)'2': Push(Peek()); break;
            case (byte)'N': Push(PickleOpaque.None); break;
            case 0x88: Push(PickleBoolean.True); break;
            case 0x89: Push(PickleBoolean.False); break;
            case (byte)'I': PushInteger(stream.Line()); break;
            case (byte)'L': PushInteger(stream.Line().TrimEnd('L')); break;
            case (byte)'J': Push((long)stream.Int32()); break;
            case (byte)'K': Push(SmallIntegers[stream.Byte()]); break;
            case (byte)'M': Push((long)stream.UInt16()); break;
            case 0x8a: PushInteger(stream.Byte()); break;
            case 0x8b: PushInteger(stream.Int32()); break;
            case (byte)'F': stream.Line(); Push(PickleOpaque.Number); break;
            case (byte)'G': stream.UInt64(); Push(PickleOpaque.Number); break;
            case (byte)'X': Push(stream.Text(stream.UInt32())); break;
            case 0x8c: Push(stream.Text(stream.Byte())); break;
            case 0x8d: Push(stream.Text(stream.UInt64())); break;
            case (byte)'T': Push(stream.Text(Length(stream.Int32()))); break;
            case (byte)'U': Push(stream.Text(stream.Byte())); break;
            case (byte)'V': Push(stream.Line()); break;
            case (byte)'B': Skip(stream.UInt32()); break;
            case (byte)'C': Skip(stream.Byte()); break;
            case 0x8e or 0x96: Skip(stream.UInt64()); break;
            default: ExecuteOnObjects(code); break;
        }
    }

    void ExecuteOnObjects(byte code)
    {
        switch (code)
        {
            case (byte)']': Push(NewList([])); break;
            case (byte)'l': Push(NewList(PopToMark())); break;
            case (byte)'a': Append([Pop()]); break;
            case (byte)'e': Append(PopToMark()); break;
            case (byte)')': Push(Array.Empty<object>()); break;
            case (byte)'t': Push(Spend(PopToMark())); break;
            case 0x85: Push(Spend(PopMany(1))); break;
            case 0x86: Push(Spend(PopMany(2))); break;
            case 0x87: Push(Spend(PopMany(3))); break;
            case (byte)'}': Push(new PickleDict()); break;
            case (byte)'d':
                var entries = PopToMark();
                Push(new PickleDict());
                SetItems(entries);
                break;
            case (byte)'s': SetItems(PopMany(2)); break;
            case (byte)'u': SetItems(PopToMark()); break;
            case 0x8f: Push(PickleOpaque.Set); break;
            case 0x90:
                PopToMark();
                if (Peek() is not PickleOpaque { Kind: "a set" }) throw stream.Bad("adds to something that is no set");
                break;
            case 0x91: PopToMark(); Push(PickleOpaque.Set); break;
            case (byte)'c': PushGlobal(stream.Line(), stream.Line()); break;
            case 0x93:
                var names = PopMany(2);
                PushGlobal(names[0] as string, names[1] as string);
                break;
            case (byte)'R':
                var call = PopMany(2);
                Push(_builder.Call(call[0], call[1] as object[] ?? throw stream.Bad("calls something with arguments that are no tuple")));
                break;
            case (byte)'b':
                var build = PopMany(2);
                if (build[0] is not (PickleDict or PickleTensor))
                    throw stream.Bad("sets attributes of something that is neither a dict nor a parameter");
                Push(build[0]);
                break;
            case (byte)'Q': Push(_builder.Storage(Pop())); break;
            case (byte)'p': Put(ParseIndex()); break;
            case (byte)'q': Put(stream.Byte()); break;
            case (byte)'r': Put(stream.UInt32()); break;
            case 0x94: Put((uint)_memo.Count); break;
            case (byte)'g': Get(ParseIndex()); break;
            case (byte)'h': Get(stream.Byte()); break;
            case (byte)'j': Get(stream.UInt32()); break;
            case (byte)'i': PushGlobal(stream.Line(), stream.Line()); throw stream.Bad("uses the instruction INST, which no state dict needs");
            default:
                string name = Refused(code);
                throw stream.Bad(name.Length > 0 ? $"uses the instruction {name}, which no state dict needs" : $"holds the unknown instruction 0x{code:x2}");
        }
    }

    static string Refused(byte code) => code switch
    {
        (byte)'P' => "PERSID",
        (byte)'o' => "OBJ",
        (byte)'S' => "STRING",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x82 or 0x83 or 0x84 => "EXT",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => "",
    };

    void PushGlobal(string? module, string? name)
    {
        if (module is null || name is null) throw stream.Bad("names something by objects that are no texts");
        if (PickleGlobals.Find(module, name) is { } global)
        {
            Push(global);
            return;
        }
        string key = _stack.Count > 0 && _stack[^1] is string text ? $" (under the key {Quoted.Of(text)})" : "";
        throw stream.Bad($"names {Quoted.Of($"{module}.{name}")}{key}, which is no part of a state dict; Recall executes nothing that a file names");
    }

    void PushInteger(int bytes)
    {
        var digits = stream.Take(Length(bytes));
        if (bytes <= LongestInteger) PushLarge(new BigInteger(digits));
        else Push(PickleOpaque.Number);
    }

    void PushInteger(string text)
    {
        if (text is "00" or "01") Push(text == "01" ? PickleBoolean.True : PickleBoolean.False);
        else if (text.Length <= LongestDigits && BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
            PushLarge(value);
        else throw stream.Bad($"holds {Quoted.Of(text)} as an integer");
    }

    void PushLarge(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue) Push((long)value);
        else Push(value);
    }

    ulong Length(int length) => length >= 0 ? (ulong)length : throw stream.Bad($"holds the negative length {length}");

    void Skip(ulong length)
    {
        stream.Take(length);
        Push(PickleOpaque.Bytes);
    }

    PickleList NewList(object[] elements) => keepLists ? new PickleList([.. Spend(elements)]) : new PickleList(Elements: null);

    void Append(object[] elements)
    {
        if (Peek() is not PickleList list) throw stream.Bad("appends to something that is no list");
        list.Elements?.AddRange(Spend(elements));
    }

    void SetItems(object[] items)
    {
        if (Peek() is not PickleDict dict) throw stream.Bad("sets items of something that is no dict");
        if (items.Length % 2 != 0) throw stream.Bad("sets a key without a value");
        Spend(items);
        for (int i = 0; i < items.Length; i += 2)
        {
            if (items[i] is not (string or long or PickleBoolean)) throw stream.Bad("has a key that is not a text");
            dict.Set(items[i], items[i + 1]);
        }
    }

    object[] Spend(object[] elements)
    {
        _objects += elements.Length + 1;
        return _objects <= MostObjects ? elements : throw stream.Bad($"makes more than {MostObjects} objects");
    }

    uint ParseIndex() => uint.TryParse(stream.Line(), NumberStyles.None, CultureInfo.InvariantCulture, out uint index)
        ? index : throw stream.Bad("holds a memo index that is no number");

    void Put(uint index)
    {
        if (_memo.Count >= MostObjects) throw stream.Bad($"remembers more than {MostObjects} objects");
        _memo[index] = Peek();
    }

    void Get(uint index) => Push(_memo.TryGetValue(index, out object? value) ? value
        : throw stream.Bad($"asks for the object {index}, which was never kept"));

    void Push(object value) => _stack.Add(value);

    object Peek() => _stack.Count > 0 && _stack[^1] != Mark ? _stack[^1] : throw stream.Bad("takes an object from an empty stack");

    object Pop()
    {
        object value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    object[] PopMany(int count)
    {
        var values = new object[count];
        for (int i = count - 1; i >= 0; i--) values[i] = Pop();
        return values;
    }

    object[] PopToMark()
    {
        int mark = _stack.LastIndexOf(Mark);
        if (mark < 0) throw stream.Bad("looks for a MARK that is not there");
        var values = _stack[(mark + 1)..].ToArray();
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }
}
