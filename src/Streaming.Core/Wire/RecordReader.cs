using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Streaming.Core.Events;
using Streaming.Core.Feeds;

namespace Streaming.Core.Wire;

/// <summary>
/// Walks one JSON object member by member, without a DOM, for the parsers of events and items. A rule that the input breaks
/// makes the method return false with <see cref="Reason"/> set; what is not JSON at all throws <see cref="JsonException"/>, and
/// an escape that is not Unicode <see cref="InvalidOperationException"/>. A JSON null counts as an absent member.
/// </summary>
internal ref struct RecordReader
{
    [ThreadStatic] private static List<string>? _strings;
    [ThreadStatic] private static List<KeyValuePair<string, string>>? _pairs;

    private readonly StringCache _cache = StringCache.Shared;
    private Utf8JsonReader _json;

    public RecordReader(ReadOnlySpan<byte> json)
    {
        _json = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = EventLimits.JsonDepthMax });
    }

    /// <summary>
    /// What is wrong with a JSON text, cut to a length for people: the library's own message may hold as much of the text as there is.
    /// </summary>
    public static string Describe(JsonException broken)
    {
        const int charsMax = 300;
        var message = broken.Message;
        if (message.Length <= charsMax) return message;
        return message[..(char.IsHighSurrogate(message[charsMax - 1]) ? charsMax - 1 : charsMax)] + "...";
    }

    /// <summary>Why the last method returned false.</summary>
    public string? Reason { get; private set; }

    public readonly JsonTokenType Token => _json.TokenType;

    public bool Fail(string reason)
    {
        Reason = reason;
        return false;
    }

    /// <summary>Checks the record as bytes and steps into its object.</summary>
    public bool Open(ReadOnlySpan<byte> json)
    {
        if (json.Length > EventLimits.RecordBytesMax) return Fail($"the record has {json.Length} bytes; allowed are {EventLimits.RecordBytesMax}");
        if (json.StartsWith("\uFEFF"u8)) return Fail("the record starts with a byte order mark; send UTF-8 without one");
        if (!Utf8.IsValid(json)) return Fail("the record is not valid UTF-8");
        _json.Read();
        return _json.TokenType == JsonTokenType.StartObject || Fail($"the record is {Describe(_json.TokenType)}; it must be one JSON object");
    }

    /// <summary>Checks that nothing but blanks follows the object.</summary>
    public void Close() => _json.Read();

    /// <summary>Steps to the next member's value; false at the object's end.</summary>
    public bool NextMember(out ReadOnlySpan<byte> name)
    {
        _json.Read();
        if (_json.TokenType != JsonTokenType.PropertyName)
        {
            name = default;
            return false;
        }
        name = _json.ValueIsEscaped ? Encoding.UTF8.GetBytes(_json.GetString()!) : _json.ValueSpan;
        _json.Read();
        return true;
    }

    /// <summary>Steps to the next element of an array; false at its end.</summary>
    public bool NextElement() => _json.Read() && _json.TokenType != JsonTokenType.EndArray;

    public void Skip() => _json.Skip();

    public bool WrongType(string member, string allowed) => Fail($"{member} is {Describe(_json.TokenType)}; it must be {allowed}");

    /// <summary>A non-empty string, or a number, which keeps its literal text.</summary>
    public bool Id(string member, ref string? id)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType is not (JsonTokenType.String or JsonTokenType.Number)) return WrongType(member, "a string or a number");
        if (!Decode(member, EventLimits.IdCharsMax, named: false, out id)) return false;
        return id.Length > 0 || Fail($"{member} is empty; it must be a non-empty string");
    }

    /// <summary>A string. <paramref name="named"/>: one of few that come again and again.</summary>
    public bool Text(string member, int charsMax, bool named, ref string? text)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        return _json.TokenType == JsonTokenType.String ? Decode(member, charsMax, named, out text!) : WrongType(member, "a string");
    }

    /// <summary>The type of an event.</summary>
    public bool Type(string member, ref EventKind kind, ref string? name)
    {
        if (_json.TokenType == JsonTokenType.String && !_json.ValueIsEscaped && EventKinds.TryParse(_json.ValueSpan, out var known, out var shared))
        {
            (kind, name) = (known, shared);
            return true;
        }
        if (!Text(member, EventLimits.IdCharsMax, named: true, ref name)) return false;
        if (name is null) return true;
        kind = EventKinds.Parse(name);
        return name.Length > 0 || Fail($"{member} is empty; it must be a non-empty string");
    }

    public bool Integer(string member, int min, int max, ref int value)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType != JsonTokenType.Number) return WrongType(member, $"an integer from {min} to {max}");
        if (_json.TryGetInt32(out var read) && read >= min && read <= max)
        {
            value = read;
            return true;
        }
        return Fail($"{member} is {Literal()}; it must be an integer from {min} to {max}");
    }

    public bool Number(string member, ref double value)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType != JsonTokenType.Number) return WrongType(member, "a number");
        return (_json.TryGetDouble(out value) && double.IsFinite(value)) || Fail($"{member} is {Literal()}; it must be a finite number");
    }

    /// <summary>A probability in (0, 1].</summary>
    public bool Probability(string member, ref float value)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType != JsonTokenType.Number) return WrongType(member, "a number above 0 and at most 1");
        return (_json.TryGetSingle(out value) && value is > 0 and <= 1) || Fail($"{member} is {Literal()}; it must be above 0 and at most 1");
    }

    /// <summary>A team of an interleaved list.</summary>
    public bool Team(string member, ref Team team)
    {
        string? name = null;
        if (!Text(member, EventLimits.IdCharsMax, named: true, ref name)) return false;
        return name is null || Teams.TryParse(name, out team) || Fail($"{member} is '{name}'; it must be \"a\" or \"b\"");
    }

    public bool Flag(string member, ref bool value)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType is not (JsonTokenType.True or JsonTokenType.False)) return WrongType(member, "true or false");
        value = _json.TokenType == JsonTokenType.True;
        return true;
    }

    /// <summary>
    /// Unix milliseconds, or an ISO 8601 string with its offset; with <paramref name="dateOnly"/> also a bare date, at midnight
    /// UTC. The caller checks the range.
    /// </summary>
    [SkipLocalsInit]
    public bool Time(string member, bool dateOnly, ref long? timeMs)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType == JsonTokenType.Number)
        {
            if (!_json.TryGetInt64(out var ms)) return Fail($"{member} is {Literal()}; as a number it must be whole Unix milliseconds");
            if (EventLimits.LooksLikeSeconds(ms)) return Fail($"{member} is {ms}, which looks like seconds; it must be Unix milliseconds");
            timeMs = ms;
            return true;
        }
        if (_json.TokenType != JsonTokenType.String) return WrongType(member, "Unix milliseconds or an ISO 8601 string");
        if (_json.ValueSpan.Length <= 240)
        {
            Span<byte> buffer = stackalloc byte[240];
            ReadOnlySpan<byte> text = buffer[.._json.CopyString(buffer)];
            if (HasOffset(text) && _json.TryGetDateTimeOffset(out var at))
            {
                timeMs = at.ToUnixTimeMilliseconds();
                return true;
            }
            if (dateOnly && text.Length == 10 && _json.TryGetDateTime(out var day))
            {
                timeMs = new DateTimeOffset(DateTime.SpecifyKind(day, DateTimeKind.Utc)).ToUnixTimeMilliseconds();
                return true;
            }
        }
        return Fail($"{member} is '{Literal()}'; it must be ISO 8601 with an offset, as 2024-05-01T12:00:00Z{(dateOnly ? ", or a date" : "")}, or Unix milliseconds");
    }

    /// <summary>An array of non-empty strings (numbers keep their literal text).</summary>
    public bool Strings(string member, ref IReadOnlyList<string>? values)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType != JsonTokenType.StartArray) return WrongType(member, "an array of strings");
        var read = _strings ??= [];
        read.Clear();
        while (NextElement())
        {
            if (read.Count == EventLimits.ItemsMax) return Fail($"{member} has more than {EventLimits.ItemsMax} elements");
            string? value = null;
            if (!Id(member, ref value)) return false;
            if (value is null) return WrongType(member, "an array of strings");
            read.Add(value);
        }
        values = read.ToArray();
        return true;
    }

    /// <summary>An object of strings, numbers and booleans; the latter two keep their literal text.</summary>
    public bool Pairs(string member, ref IReadOnlyList<KeyValuePair<string, string>>? values)
    {
        if (_json.TokenType == JsonTokenType.Null) return true;
        if (_json.TokenType != JsonTokenType.StartObject) return WrongType(member, "an object");
        var read = _pairs ??= [];
        read.Clear();
        while (NextMember(out var utf8))
        {
            if (_json.TokenType == JsonTokenType.Null) continue;
            if (read.Count == EventLimits.ContextEntriesMax) return Fail($"{member} has more than {EventLimits.ContextEntriesMax} members");
            if (utf8.IsEmpty || utf8.Length > EventLimits.IdCharsMax)
                return Fail($"a member name of {member} has {utf8.Length} bytes; allowed are 1 to {EventLimits.IdCharsMax}");
            var name = _cache.Get(utf8);
            foreach (var (earlier, _) in read)
                if (earlier == name) return Fail($"{member} has the member '{name}' twice");
            if (_json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                return WrongType($"{member}.{name}", "a string, a number or a boolean");
            if (!Decode(member, EventLimits.TextCharsMax, named: true, out var value)) return false;
            read.Add(new(name, value));
        }
        values = read.ToArray();
        return true;
    }

    /// <summary>The text of a string, or the literal of a number or boolean.</summary>
    private bool Decode(string member, int charsMax, bool named, out string text)
    {
        text = "";
        var raw = _json.ValueSpan;
        // A char takes at most 6 bytes of JSON: so much is too long without decoding it.
        if (raw.Length > charsMax * 6) return Fail($"{member} is too long; allowed are {charsMax} characters");
        text = _json.ValueIsEscaped ? _json.GetString()! : named ? _cache.Get(raw) : Encoding.UTF8.GetString(raw);
        return text.Length <= charsMax || Fail($"{member} has {text.Length} characters; allowed are {charsMax}");
    }

    private static bool HasOffset(ReadOnlySpan<byte> text) =>
        text.Length > 16 && text[10] == 'T' && (text[^1] == 'Z' || (text[^6] is (byte)'+' or (byte)'-' && text[^3] == ':'));

    /// <summary>The value as it stands in the input, cut short for a message.</summary>
    private readonly string Literal()
    {
        var raw = _json.ValueSpan;
        return raw.Length <= 40 ? Encoding.UTF8.GetString(raw) : Encoding.UTF8.GetString(raw[..40]) + "...";
    }

    private static string Describe(JsonTokenType token) => token switch
    {
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "a boolean",
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        _ => "null",
    };
}
