using System.Text;
using Streaming.Core.Events;

namespace Streaming.Suites;

/// <summary>
/// Payloads that are no valid event, of every kind that senders and broken transports produce: for whatever must set them
/// aside with a reason and carry on. Seeded: the same seed gives the same bytes.
/// </summary>
public static class MalformedEvents
{
    private static readonly (string Kind, Func<Random, byte[]> Make)[] Makers =
    [
        ("empty", _ => []),
        ("whitespace", r => Text(new string(" \t\r\n"[r.Next(4)], r.Next(1, 200)))),
        ("truncated", Truncated),
        ("trailing data", r => Text(Click(r) + (r.Next(2) == 0 ? "{}" : ",1"))),
        ("not an object", r => Text(Pick(r, "[]", $"[{Click(r)}]", "null", "true", "42", "\"click\""))),
        ("not JSON", r => Text(Pick(r, "click,u1,i1", "<event/>", "type=click&user=u1", "{type:\"click\"}", "{'type':'click'}"))),
        ("random bytes", RandomBytes),
        ("NUL bytes", r => new byte[r.Next(1, 300)]),
        ("byte order mark", r => [0xEF, 0xBB, 0xBF, .. Text(Click(r))]),
        ("UTF-16", r => Encoding.Unicode.GetBytes(Click(r))),
        ("invalid UTF-8", InvalidUtf8),
        ("half a surrogate pair", r => Text(With(r, "\"session_id\":\"\\ud83d\""))),
        ("raw control character", r => Text(With(r, $"\"session_id\":\"a{(char)r.Next(1, 0x20)}b\""))),
        ("deep nesting", r => Text(With(r, "\"x\":" + Repeat("[", r.Next(8, 3000))))),
        ("deep and closed nesting", DeepClosed),
        ("trailing comma", r => Text(Click(r)[..^1] + ",}")),
        ("comment", r => Text("/* late */" + Click(r))),
        ("NaN", r => Text(With(r, $"\"value\":{Pick(r, "NaN", "Infinity", "-Infinity", "nan")}"))),
        ("huge number", r => Text(With(r, $"\"value\":{Pick(r, "1e999", "-1e400", Repeat("9", r.Next(400, 900)))}"))),
        ("number as text", r => Text(With(r, "\"value\":\"4.5\""))),
        ("bad position", r => Text(With(r, $"\"position\":{Pick(r, "-1", "1.5", "1000001", "99999999999999999999", "\"3\"", "true")}"))),
        ("bad time", r => Text($"{{\"type\":\"click\",\"user\":\"u\",\"item\":\"i\",\"time\":{BadTime(r)}}}")),
        ("missing type", r => Text($"{{\"user\":\"u{r.Next()}\",\"item\":\"i\"}}")),
        ("bad type", r => Text($"{{\"type\":{Pick(r, "\"\"", "7", "[]", "null", "{}", "true")},\"user\":\"u\",\"item\":\"i\"}}")),
        ("missing user", r => Text($"{{\"type\":\"click\",\"item\":\"i{r.Next()}\"}}")),
        ("bad user", r => Text($"{{\"type\":\"click\",\"item\":\"i\",\"user\":{Pick(r, "\"\"", "null", "{}", "[\"u\"]", "false", "\"\\u0000x\"")}}}")),
        ("missing item", r => Text($"{{\"type\":\"{Pick(r, "click", "like", "purchase", "hide", "my_type")}\",\"user\":\"u{r.Next()}\"}}")),
        ("empty item", r => Text($"{{\"type\":\"click\",\"user\":\"u{r.Next()}\",\"item\":\"\"}}")),
        ("giant id", r => Text($"{{\"type\":\"click\",\"user\":\"{Repeat("u", r.Next(EventLimits.IdCharsMax + 1, 9000))}\",\"item\":\"i\"}}")),
        ("duplicate member", r => Text(With(r, Pick(r, "\"user\":\"v\"", "\"user_id\":\"v\"", "\"item\":\"j\"", "\"event\":\"like\"")))),
        ("duplicate context", r => Text(With(r, "\"context\":{\"a\":1,\"a\":2}"))),
        ("bad context", r => Text(With(r, $"\"context\":{Pick(r, "[]", "\"x\"", "{\"a\":{}}", "{\"a\":[1]}", "{\"\":1}", "5")}"))),
        ("too much context", r => Text(With(r, "\"context\":{" + Many(r.Next(EventLimits.ContextEntriesMax + 1, 300), i => $"\"k{i}\":{i}") + "}"))),
        ("bad items", r => Text(With(r, $"\"items\":{Pick(r, "{}", "\"i\"", "[null]", "[[]]", "[{}]", "[true]", "[\"\"]")}"))),
        ("bad slot", r => Text(With(r, $"\"items\":[{{\"item\":\"i\",{Pick(r, "\"propensity\":0", "\"propensity\":1.5", "\"position\":-2", "\"item\":\"j\"", "\"propensity\":\"x\"")}}}]"))),
        ("too many items", r => Text(With(r, "\"items\":[" + Many(r.Next(EventLimits.ItemsMax + 1, 2000), i => $"\"i{i}\"") + "]"))),
        ("impression of nothing", r => Text($"{{\"type\":\"impression\",\"user\":\"u{r.Next()}\"{Pick(r, "", ",\"items\":[]")}}}")),
        ("served nothing", r => Text($"{{\"type\":\"served\",\"user\":\"u{r.Next()}\",\"items\":[]}}")),
        ("grade without value", r => Text($"{{\"type\":\"{Pick(r, "rating", "dwell")}\",\"user\":\"u\",\"item\":\"i{r.Next()}\"}}")),
        ("search for nothing", r => Text($"{{\"type\":\"search\",\"user\":\"u{r.Next()}\"{Pick(r, "", ",\"query\":\"\"", ",\"query\":null")}}}")),
        ("bad profile", r => Text($"{{\"type\":\"user_upsert\",\"user\":\"u{r.Next()}\"{Pick(r, "", ",\"profile\":[]", ",\"profile\":{\"interests\":\"x\"}", ",\"profile\":{\"interests\":[{}]}", ",\"profile\":{\"attributes\":[1]}")}}}")),
        ("misplaced profile", r => Text(With(r, "\"profile\":{}"))),
        ("giant record", r => Text(With(r, $"\"x\":\"{Repeat("x", EventLimits.RecordBytesMax)}\""))),
    ];

    /// <summary>Names of all kinds.</summary>
    public static IReadOnlyList<string> Kinds { get; } = [.. Makers.Select(m => m.Kind)];

    /// <summary><paramref name="count"/> payloads, the kinds in turn. A giant record comes rarely: it is 1 MiB.</summary>
    public static IEnumerable<(string Kind, byte[] Bytes)> Generate(int seed, int count)
    {
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var (kind, make) = Makers[i % Makers.Length];
            if (kind == "giant record" && i > Makers.Length * 3) (kind, make) = Makers[random.Next(Makers.Length - 1)];
            yield return (kind, make(random));
        }
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static string Pick(Random r, params string[] choices) => choices[r.Next(choices.Length)];

    private static string Repeat(string text, int times) => new StringBuilder().Insert(0, text, times).ToString();

    private static string Many(int count, Func<int, string> each) => string.Join(',', Enumerable.Range(0, count).Select(each));

    private static string Click(Random r) =>
        $"{{\"type\":\"click\",\"user\":\"u{r.Next(1000)}\",\"item\":\"i{r.Next(1000)}\",\"time\":{1_700_000_000_000 + r.Next()}}}";

    /// <summary>A sound click with one more member, which is not sound.</summary>
    private static string With(Random r, string member) => Click(r)[..^1] + "," + member + "}";

    private static byte[] Truncated(Random r)
    {
        var whole = Text(Click(r));
        return whole[..r.Next(1, whole.Length)];
    }

    private static byte[] RandomBytes(Random r)
    {
        var bytes = new byte[r.Next(1, 300)];
        r.NextBytes(bytes);
        // Whatever comes after, this first byte starts no JSON object.
        if (bytes[0] is (byte)'{' or (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n') bytes[0] = 0xff;
        return bytes;
    }

    private static byte[] InvalidUtf8(Random r)
    {
        var bytes = Text(With(r, "\"session_id\":\"______\""));
        var at = Array.LastIndexOf(bytes, (byte)'_') - 3;
        byte[] bad = r.Next(4) switch
        {
            0 => [0xff],
            1 => [0xc0, 0x80],
            2 => [0xed, 0xa0, 0x80],
            _ => [0xf5, 0x80, 0x80],
        };
        bad.CopyTo(bytes, at);
        return bytes;
    }

    private static byte[] DeepClosed(Random r)
    {
        var depth = r.Next(EventLimits.JsonDepthMax, 200);
        return Text(With(r, $"\"x\":{Repeat("{\"a\":", depth)}1{Repeat("}", depth)}"));
    }

    private static string BadTime(Random r) => Pick(
        r, "-1", "0", "1700000000", "99999999999999", "1.5", "1e400", "\"\"", "\"yesterday\"", "\"2024-05-01T12:00:00\"", "\"2024-13-01T00:00:00Z\"",
        "\"2024-05-01\"", "true", "{}", "[]", $"\"{Repeat("2", 500)}\"", "\"1850-01-01T00:00:00Z\"");
}
