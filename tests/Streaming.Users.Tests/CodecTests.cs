using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;

namespace Streaming.Users.Tests;

public sealed class CodecTests
{
    /// <summary>Version 1 of <see cref="Sample"/>, base64. It only grows: a new version adds its own golden beside it.</summary>
    private const string Golden1 =
        "AdCsrP75YtCMAQaaARIQDgQAAAAAAAAeQAIIGBYE8i4GjAEKAQIFamF6egEBBGFnZQM0MAECc7CNrP75YtAPAQEAAAAAAAAACAAAAMDoBwICAAAAAAAAAAAA" +
        "AIBAgH3//////////wcAAKBA6IQBAqACBQAAAAAAAAAAAAYKAuYuCgVob21lCGxlYXJuZWQYA3IxB2Z0cmw6MwKEAwAAhQMAAAIAAAA/AACAPi8GAAAAAAAA" +
        "AAIEc2l4BgwC5C4MAACAPgAAAQAHAAAAAAAAAAEABg4C4i4OBWhvbWUIbGVhcm5lZBgAB2Z0cmw6MwAAgD4ChAMAAIUDAAACAACAPwAAAD8CAAAAPwAAgD4C" +
        "HgAAAAAAAAAAAKA/4F0GCgAAAAAAAAAAAAC/kE4CAgkAAAAAAAAAAQIEBsA+CAAAAAAAAAACAAIA8C4CZAAAAAAAAAAyAAAAAAAAAAEGYmx1ZXMBGAVob21l" +
        "CGxlYXJuZWQHZnRybDozAgUAAAAAAAAABgAAAAAAAAACAAAAPwAAgD8CAABAPwAAgL8AAAA/AACAvgAAAD4CAAAAAAAAAEAAAMA/gJ2s/vliAgAAQEAAAAAA" +
        "AAAgQOikrP75YgECAAAAAAAAgD8AAMBAoL+r/vli";

    /// <summary>Version 2, of <see cref="Interleaved"/>.</summary>
    private const string Golden2 =
        "AtCsrP75YtCMAQaaARIQDgQAAAAAAAAeQAIIGBYE8i4GjAEKAQIFamF6egEBBGFnZQM0MAECc7CNrP75YtAPAQEAAAAAAAAACAAAAMDoBwICAAAAAAAAAAAA"
        + "AIBAgH3//////////wcAAKBA6IQBAqAaBQAAAAAAAAAAAAYKAuYuCgVob21lCGxlYXJuZWQYA3IxB2Z0cmw6MwIChAMAAIUDAAACAAAAPwAAgD4BAACAPi8G"
        + "AAAAAAAAAAIEc2l4BgwC5C4MAACAPgAAAQAHAAAAAAAAAAEABg4C4i4OBWhvbWUIbGVhcm5lZBgAB2Z0cmw6MwAAgD4ChAMAAIUDAAACAACAPwAAAD8CAAAA"
        + "PwAAgD4CHgAAAAAAAAAAAKA/4F0GCgAAAAAAAAAAAAC/kE4CAgkAAAAAAAAAAQIEBsA+CAAAAAAAAAACAAIA8C4CZAAAAAAAAAAyAAAAAAAAAAEGYmx1ZXMB"
        + "GAVob21lCGxlYXJuZWQHZnRybDozAgUAAAAAAAAABgAAAAAAAAACAAAAPwAAgD8CAQICAABAPwAAgL8AAAA/AACAvgAAAD4CAAAAAAAAAEAAAMA/gJ2s/vli"
        + "AgAAQEAAAAAAAAAgQOikrP75YgECAAAAAAAAgD8AAMBAoL+r/vli";

    /// <summary>Version 3, of <see cref="Shuffled"/>.</summary>
    private const string Golden3 = 
        "A9CsrP75YtCMAQaaARIQDgQAAAAAAAAeQAIIGBYE8i4GjAEKAQIFamF6egEBBGFnZQM0MAECc7CNrP75YtAPAQEAAAAAAAAACAAAAMDoBwICAAAAAAAAAAAA"
        + "AIBAgH3//////////wcAAKBA6IQBAqAaBQAAAAAAAAAAAAYKAuYuCgVob21lCGxlYXJuZWQYA3IxB2Z0cmw6MwIChAMAAIUDAAACAAAAPwAAgD4BAACAPq8g"
        + "BgAAAAAAAAACBHNpeAYMAuQuDAAAgD4AAAIGAAAAAAAAAAUAAAAAAAAAAQAHAAAAAAAAAAEABg4C4i4OBWhvbWUIbGVhcm5lZBgAB2Z0cmw6MwAAgD4ChAMA"
        + "AIUDAAACAACAPwAAAD8CAAAAPwAAgD4CHgAAAAAAAAAAAKA/4F0GCgAAAAAAAAAAAAC/kE4CAgkAAAAAAAAAAQIEBsA+CAAAAAAAAAACAAIA8C4CZAAAAAAA"
        + "AAAyAAAAAAAAAAEGYmx1ZXMCGAVob21lCGxlYXJuZWQHZnRybDozAgUAAAAAAAAABgAAAAAAAAACAAAAPwAAgD8CAQIAGgVob21lCGxlYXJuZWQHZnRybDoz"
        + "AwYAAAAAAAAABQAAAAAAAAAHAAAAAAAAAAMAAAA/AACAPwAAgD8AAgIAAEA/AACAvwAAAD8AAIC+AAAAPgIAAAAAAAAAQAAAwD+Anaz++WICAABAQAAAAAAA"
        + "ACBA6KSs/vliAQIAAAAAAACAPwAAwECgv6v++WI=";

    /// <summary>Version 4, of <see cref="WithGoals"/>.</summary>
    private const string Golden4 =
        "BNCsrP75YtCMAQaaARIQDgQAAAAAAAAeQAIIGBYE8i4GjAEKAQIFamF6egEBBGFnZQM0MAECc7CNrP75YtAPAQEAAAAAAAAACAAAAMDoBwICAAAAAAAAAAAAAIBAgH3/"
        + "/////////wcAAKBA6IQBAqAaBQAAAAAAAAAAAAYKAuYuCgVob21lCGxlYXJuZWQYA3IxB2Z0cmw6MwIChAMAAIUDAAACAAAAPwAAgD4BAACAPp9ABgAAAAAAAAACBHNp"
        + "eAYMAuQuDAAAgD4ChAMAAIUDAAACAACAPwAAAD+QAYABAQAHAAAAAAAAAAEABg4C4i4OBWhvbWUIbGVhcm5lZBgAB2Z0cmw6MwAAgD4ChAMAAIUDAAACAACAPwAAAD8C"
        + "AAAAPwAAgD4CHgAAAAAAAAAAAKA/4F0GCgAAAAAAAAAAAAC/kE4CAgkAAAAAAAAAAQIEBsA+CAAAAAAAAAACAAIA8C4CZAAAAAAAAAAyAAAAAAAAAAEGYmx1ZXMCGAVo"
        + "b21lCGxlYXJuZWQHZnRybDozAgUAAAAAAAAABgAAAAAAAAACAAAAPwAAgD8CAQIAGgVob21lCGxlYXJuZWQHZnRybDozAwYAAAAAAAAABQAAAAAAAAAHAAAAAAAAAAMA"
        + "AAA/AACAPwAAgD8AAgIAAEA/AACAvwAAAD8AAIC+AAAAPgIAAAAAAAAAQAAAwD+Anaz++WICAABAQAAAAAAAACBA6KSs/vliAQIAAAAAAACAPwAAwECgv6v++WI=";

    /// <summary>The same with an impression that has met one goal and missed another.</summary>
    private static UserState WithGoals()
    {
        var second = Impression(6, ImpressionLabel.Settled, "r1", [1, 0.5f]);
        (second.GoalsKnown, second.GoalsMet) = (Goals.MaskOf([EventKind.Like, EventKind.Purchase]), Goals.Bit(EventKind.Purchase));
        return Shuffled(second);
    }

    /// <summary>The sample with a list of two rankings, and an impression of it with dense features.</summary>
    private static UserState Interleaved() => Interleaved(Impression(6, ImpressionLabel.Settled, "r1", []));

    private static UserState Interleaved(PendingImpression second)
    {
        var s = Sample(Impression(5, ImpressionLabel.Waiting, "r1", [1, 1], Team.B, [0.25f]), second);
        s.Lists[0] = new ListRef
        {
            Version = 12, Surface = "home", Arm = "learned", Models = "ftrl:3", Items = [5, 6], Propensities = [0.5f, 1], Teams = [Team.A, Team.B],
        };
        return s;
    }

    /// <summary>The same with a list whose order was drawn, and an impression of it.</summary>
    private static UserState Shuffled() => Shuffled(Impression(6, ImpressionLabel.Settled, "r1", [], slate: [6, 5]));

    private static UserState Shuffled(PendingImpression second)
    {
        var s = Interleaved(second);
        s.Lists.Add(new ListRef
        {
            Version = 13, Surface = "home", Arm = "learned", Models = "ftrl:3", Items = [6, 5, 7], Propensities = [0.5f, 1, 1], Shuffled = 2,
        });
        return s;
    }

    /// <summary>Every field differs from its default.</summary>
    private static UserState Sample() => Sample(Impression(5, ImpressionLabel.Waiting, "r1", [1, 1]), Impression(6, ImpressionLabel.Settled, "r1", []));

    private static UserState Sample(PendingImpression first, PendingImpression second)
    {
        var s = new UserState("u", 2)
        {
            Profile = new UserProfile { Interests = new[] { "jazz", "" }, Attributes = new[] { KeyValuePair.Create("age", "40") } },
            FirstEventMs = 1_700_000_000_000, LastEventMs = 1_700_000_009_000, LastApplied = new LogPosition(3, 77), Events = 9, Impressions = 8,
            Positives = 7, RatingCount = 2, RatingSum = 7.5, RatingPositives = 1, SessionsClosed = 4, ListVersion = 12, SeenListVersion = 11,
            SeenSinceList = 2, WakeMs = 1_700_000_012_000, ReleaseSource = new LogPosition(3, 70), ReleaseOrdinal = 5,
            EmbeddingG2 = 0.5f, EmbeddingBias = -0.25f, EmbeddingBiasG2 = 0.125f, ShortWeight = 1.5f, ShortMs = 1_700_000_008_000,
            LongWeight = 2.5f, LongMs = 1_700_000_008_500,
        };
        (s.Session.Id, s.Session.StartMs, s.Session.LastMs) = ("s", 1_700_000_007_000, 1_700_000_008_000);
        s.Session.Actions.Add(new PastAction(1, EventKind.Dislike, -2, 1_700_000_007_500));
        s.History.Add(new PastAction(2, EventKind.Custom, 4, 1_700_000_001_000));
        s.History.Add(new PastAction(ulong.MaxValue, EventKind.Purchase, 5, 1_700_000_000_500));
        s.Pending.Add(first);
        s.Pending.Add(second);
        s.Closed.Add(Impression(7, ImpressionLabel.Negative, null, [1, 0.5f]));
        s.Interests[30] = new Interest(1.25f, 1_700_000_003_000, 3);
        s.Interests[10] = new Interest(-0.5f, 1_700_000_004_000, 1);
        s.Marks[9] = new ItemMarks(1, 2, 3, true, false, 1_700_000_005_000);
        s.Marks[8] = new ItemMarks(0, 1, 0, false, true, 1_700_000_006_000);
        s.RecentEventIds.AddRange([100, 50]);
        s.RecentTerms.Add("blues");
        s.Lists.Add(new ListRef { Version = 12, Surface = "home", Arm = "learned", Models = "ftrl:3", Items = [5, 6], Propensities = [0.5f, 1] });
        (s.Embedding[0], s.Embedding[1], s.ShortVector[1], s.LongVector[0]) = (0.75f, -1, 2, 3);
        s.InterestVectors.Add(new InterestVector([0, 1]) { Weight = 6, TimeMs = 1_700_000_002_000 });
        return s;
    }

    private static PendingImpression Impression(ulong key, ImpressionLabel label, string? request, float[] values, Team team = Team.None, float[]? dense = null, ulong[]? slate = null) => new()
    {
        ItemKey = key, ItemId = key == 6 ? "six" : null, Source = new LogPosition(3, (long)key), Ordinal = 1, ShownMs = 1_700_000_006_000 + (long)key,
        Position = (int)key, Surface = "home", Arm = "learned", RequestId = request, ListVersion = 12, ModelVersion = "ftrl:3",
        Propensity = key == 5 ? float.NaN : 0.25f, Features = [.. values.Select((_, i) => (uint)i + 900)], Values = values,
        UserVector = values.Length == 0 ? [] : [0.5f, 0.25f], Label = label, Team = team, Dense = dense ?? [], Slate = slate ?? [],
    };

    [Fact]
    public void The_written_form_stands()
    {
        Convert.ToBase64String(Bench.Encode(Sample())).ShouldBe(Golden1);
        Bench.Encode(UserStateCodec.Read(Convert.FromBase64String(Golden1), 2, "u")).ShouldBe(Convert.FromBase64String(Golden1));
        Convert.ToBase64String(Bench.Encode(Interleaved())).ShouldBe(Golden2);
        Bench.Encode(UserStateCodec.Read(Convert.FromBase64String(Golden2), 2, "u")).ShouldBe(Convert.FromBase64String(Golden2));
        Convert.ToBase64String(Bench.Encode(Shuffled())).ShouldBe(Golden3);
        Bench.Encode(UserStateCodec.Read(Convert.FromBase64String(Golden3), 2, "u")).ShouldBe(Convert.FromBase64String(Golden3));
        Convert.ToBase64String(Bench.Encode(WithGoals())).ShouldBe(Golden4);
        Bench.Encode(UserStateCodec.Read(Convert.FromBase64String(Golden4), 2, "u")).ShouldBe(Convert.FromBase64String(Golden4));
    }

    [Fact]
    public void Every_field_comes_back()
    {
        var (a, b) = (WithGoals(), UserStateCodec.Read(Bench.Encode(WithGoals()), 2, "u"));
        b.ShouldBeEquivalentTo(a);
        b.Marks.ToArray().ShouldBe(a.Marks.ToArray());
        b.Interests.ToArray().ShouldBe(a.Interests.ToArray());
    }

    [Fact]
    public void A_new_user_takes_few_bytes() => Bench.Encode(new UserState("u", 64)).Length.ShouldBeLessThan(64);

    [Fact]
    public void Wake_ups_before_at_and_after_the_last_event_come_back()
    {
        foreach (var wake in (long[])[0, 1, 4999, 5000, 5001, 900_000])
            UserStateCodec.Read(Bench.Encode(new UserState("u", 0) { LastEventMs = 5000, WakeMs = wake }), 0, "u").WakeMs.ShouldBe(wake);
    }

    [Fact]
    public void Cut_short_lengthened_newer_or_of_another_dimension_is_a_format_error()
    {
        var bytes = Bench.Encode(WithGoals());
        for (var length = 0; length < bytes.Length; length++) Should.Throw<FormatException>(() => UserStateCodec.Read(bytes.AsSpan(0, length), 2, "u"));
        Should.Throw<FormatException>(() => UserStateCodec.Read([.. bytes, 0], 2, "u"));
        Should.Throw<FormatException>(() => UserStateCodec.Read(bytes, 3, "u"));
        bytes[0] = 5;
        Should.Throw<FormatException>(() => UserStateCodec.Read(bytes, 2, "u")).Message.ShouldContain("newer build");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Corrupt_bytes_read_as_something_or_throw_a_format_error_and_never_allocate_much(int seed)
    {
        var random = new Random(seed);
        var good = Bench.Encode(seed switch { 1 => Sample(), 2 => Interleaved(), 3 => Shuffled(), _ => WithGoals() });
        int read = 0, refused = 0;
        for (var round = 0; round < 4_000; round++)
        {
            var bytes = (byte[])good.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--) bytes[random.Next(1, bytes.Length)] = (byte)random.Next(256);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                UserStateCodec.Read(bytes, 2, "u");
                read++;
            }
            catch (FormatException)
            {
                refused++;
            }
            (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(200_000);
        }
        read.ShouldBeGreaterThan(20);
        refused.ShouldBeGreaterThan(20);
    }
}
