using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;

namespace Streaming.Core.Tests;

/// <summary>Seeded sound records with nasty strings, for round trips.</summary>
public sealed class RandomRecords(int seed)
{
    private static readonly string[] Nasty =
    [
        "a", "user/1", "two\nlines", "tab\there", "quote\"d", "back\\slash", "inner\0nul", "\u0001\u001f", "\u007f", "é", "汉字", "😀👩‍👩‍👧", "\u2028\u2029",
        "  ", "{\"type\":\"click\"}", "null", "42", "\uFEFFbom", "שלום", "\uFFFD\uFFFF", "<script>", "%00", new string('x', 1024), new string('汉', 1024),
    ];

    public Random Random { get; } = new(seed);

    public string Text() => Random.Next(3) switch
    {
        0 => $"id-{Random.Next(1_000_000)}",
        1 => Nasty[Random.Next(Nasty.Length)],
        _ => string.Concat(Enumerable.Range(0, Random.Next(1, 20)).Select(_ => Nasty[Random.Next(Nasty.Length - 2)])),
    };

    private string? Maybe() => Random.Next(2) == 0 ? null : Text();

    private long Time() => Random.NextInt64(EventLimits.TimeMsMin, EventLimits.TimeMsMax + 1);

    private float Float() => BitConverter.Int32BitsToSingle(Random.Next() & 0x7f7fffff) * (Random.Next(2) * 2 - 1);

    private KeyValuePair<string, string>[] Pairs(int max) =>
        [.. Enumerable.Range(0, Random.Next(max)).Select(i => new KeyValuePair<string, string>($"{i}{(Random.Next(2) == 0 ? "é\"\n" : "")}", Random.Next(4) == 0 ? "" : Text()))];

    private string[] Texts(int max) => [.. Enumerable.Range(0, Random.Next(max)).Select(_ => Text())];

    public UserEvent Event()
    {
        var kind = (EventKind)Random.Next(16);
        var type = kind == EventKind.Custom ? $"my_{Random.Next(100)}\n汉" : EventKinds.Name(kind);
        var plain = Random.Next(2) == 0;
        var items = kind is EventKind.Served or EventKind.Impression
            ? Enumerable.Range(0, Random.Next(1, 30)).Select(i => plain
                ? new ShownItem(Text(), i)
                : new ShownItem(Text(), Random.Next(1_000_001), Random.Next(3) == 0 ? float.NaN : 1f - Random.NextSingle(), (Team)Random.Next(3))).ToArray()
            : [];
        return new UserEvent
        {
            Kind = kind, Type = type, User = kind == EventKind.Tick ? "" : Text(), TimeMs = Time(), EventId = Maybe(),
            Item = EventKinds.IsAction(kind) ? Text() : Maybe(), Items = items, RequestId = Maybe(),
            Position = Random.Next(2) == 0 ? -1 : Random.Next(1_000_001), Surface = Maybe() ?? "",
            Value = kind is EventKind.Rating or EventKind.Dwell || Random.Next(2) == 0 ? Random.NextDouble() * Math.Pow(10, Random.Next(-300, 300)) : double.NaN,
            SessionId = Maybe(), Query = kind == EventKind.Search ? Text() : Maybe(), Context = Pairs(10),
            Profile = kind == EventKind.UserUpsert ? new UserProfile { Interests = Texts(5), Attributes = Pairs(5) } : null,
        };
    }

    public ItemChange Item()
    {
        var timeMs = Time();
        var id = Text();
        if (Random.Next(5) == 0) return new ItemChange(id, null, timeMs);
        return new ItemChange(id, new Item(id)
        {
            Tags = Texts(5), Categories = Texts(3), Author = Maybe(), FirstSeenMs = timeMs, Attributes = Pairs(5),
            PublishedMs = Random.Next(4) switch { 0 => 0, 1 => 1, 2 => Random.NextInt64(600_000_000, 4_200_000_000), _ => Time() },
            ExpiresMs = Random.Next(2) == 0 ? long.MaxValue : Time(),
        }, timeMs);
    }

    public Example Example()
    {
        var features = new uint[Random.Next(60)];
        var values = new float[features.Length];
        for (var i = 0; i < features.Length; i++) features[i] = (uint)Random.NextInt64(1L << 32);
        var unit = Random.Next(2) == 0;
        for (var i = 0; i < values.Length; i++) values[i] = unit ? 1f : Float();
        var history = new ulong[Random.Next(2) * Random.Next(20)];
        for (var i = 0; i < history.Length; i++) history[i] = (ulong)Random.NextInt64();
        var known = Random.Next(2) == 0 ? (ushort)0 : (ushort)(Goals.AllowedMask & Random.Next(1 << 16));
        return new Example
        {
            Source = new LogPosition(Random.Next(64), Random.NextInt64(-1, long.MaxValue)), Ordinal = Random.Next(1000), User = Text(),
            ItemKey = StableHash.Of(Text()), ItemId = Maybe(), ShownMs = Time(), LabelMs = Time(), Label = Random.Next(2),
            Weight = Random.Next(2) == 0 ? 1f : Float(), SampleRate = Random.Next(2) == 0 ? 1f : 0.1f, IsCorrection = Random.Next(2) == 0,
            Action = (EventKind)Random.Next(16), Position = Random.Next(-1, 100), Surface = Maybe() ?? "", Arm = Maybe() ?? "",
            ListVersion = Random.NextInt64(), ModelVersion = Maybe() ?? "", Propensity = Random.Next(2) == 0 ? float.NaN : Random.NextSingle(),
            Features = features, Values = values, UserVector = [.. Enumerable.Range(0, Random.Next(3) * 16).Select(_ => Float())],
            History = history, HistoryInSession = Random.Next(history.Length + 1), Team = (Team)Random.Next(3),
            Dense = [.. Enumerable.Range(0, Random.Next(2) * 5).Select(_ => Float())],
            Slate = [.. Enumerable.Range(0, Random.Next(2) * Random.Next(2, 8)).Select(_ => (ulong)Random.NextInt64())],
            GoalsKnown = known, GoalsMet = (ushort)(known & Random.Next(1 << 16)), IsFollowUp = Random.Next(4) == 0,
        };
    }

    public Interaction Interaction() => new()
    {
        Source = new LogPosition(Random.Next(64), Random.NextInt64()), Ordinal = Random.Next(1000), User = Text(), ItemKey = StableHash.Of(Text()),
        ItemId = Maybe(), Action = (EventKind)Random.Next(16), Weight = Random.Next(2) == 0 ? 1f : Float(), TimeMs = Time(), Surface = Maybe() ?? "",
        Recent = [.. Enumerable.Range(0, Random.Next(25)).Select(_ => (ulong)Random.NextInt64())], UserActions = Random.Next(),
    };

    public FeedList List(int entries)
    {
        string[] channels = ["itemcf", "popular", "fresh \"new\"", "mf", "tag"];
        return new FeedList
        {
            User = Random.Next(5) == 0 ? "\0segment:é" : Text(), Surface = Maybe() ?? "", Arm = "learned", Version = Random.NextInt64(), BuiltMs = Time(),
            LastEventMs = Time(), LastApplied = new LogPosition(Random.Next(64), Random.NextInt64(-1, 1L << 60)), Models = "ftrl:812 mf:812",
            Teams = Random.Next(2) == 0 ? [] : [.. Enumerable.Range(0, entries).Select(_ => (Team)Random.Next(3))],
            Entries = [.. Enumerable.Range(0, entries).Select(_ =>
            {
                var id = Text();
                return new FeedEntry(id, StableHash.Of(id), Float(), channels[Random.Next(channels.Length)], 1f - Random.NextSingle());
            })],
        };
    }
}

/// <summary>Corrupts encoded records every way that is cheap to try.</summary>
public static class Corrupt
{
    /// <summary>Every truncation, then <paramref name="flips"/> seeded bit flips: each either reads or throws FormatException.</summary>
    /// <returns>How many inputs were refused.</returns>
    public static int Refused(byte[] sound, int seed, int flips, Action<byte[]> read)
    {
        var refused = 0;
        for (var length = 0; length < sound.Length; length++) refused += Try(sound[..length], read);
        var random = new Random(seed);
        for (var i = 0; i < flips; i++)
        {
            var bytes = (byte[])sound.Clone();
            for (var bits = random.Next(1, 4); bits > 0; bits--) bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            refused += Try(bytes, read);
        }
        return refused;
    }

    private static int Try(byte[] bytes, Action<byte[]> read)
    {
        try
        {
            read(bytes);
            return 0;
        }
        catch (FormatException)
        {
            return 1;
        }
    }
}
