using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Wire;
using Streaming.Suites;

namespace Streaming.Core.Tests.Events;

public sealed class EventParserTests
{
    private const long Fallback = 1_700_000_000_000;

    private static UserEvent Parse(string json)
    {
        EventParser.TryParse(Encoding.UTF8.GetBytes(json), Fallback, out var e, out var reason).ShouldBeTrue(reason);
        return e!;
    }

    private static string Refusal(string json)
    {
        EventParser.TryParse(Encoding.UTF8.GetBytes(json), Fallback, out var e, out var reason).ShouldBeFalse();
        e.ShouldBeNull();
        return reason!;
    }

    [Fact]
    public void Every_member_is_read()
    {
        var e = Parse("""
            {"type":"click","event_id":"e1","user":"u1","item":"i1","time":1714564800123,"request_id":"r1","position":3,
             "surface":"home","value":2.5,"session_id":"s1","query":"shoes","context":{"device":"phone","age":41,"vip":true,"gone":null},
             "some_day":{"x":[1,{"y":2}]}}
            """);
        e.Kind.ShouldBe(EventKind.Click);
        e.Type.ShouldBe("click");
        (e.EventId, e.User, e.Item, e.TimeMs, e.RequestId).ShouldBe(("e1", "u1", "i1", 1714564800123, "r1"));
        (e.Position, e.Surface, e.Value, e.SessionId, e.Query).ShouldBe((3, "home", 2.5, "s1", "shoes"));
        e.Context.ShouldBe([new("device", "phone"), new("age", "41"), new("vip", "true")]);
        e.Items.ShouldBeEmpty();
        e.Profile.ShouldBeNull();
    }

    [Fact]
    public void What_is_absent_or_null_has_its_default()
    {
        var e = Parse("""{"type":"click","user":"u","item":"i","session_id":null,"position":null,"value":null,"items":null,"context":null}""");
        (e.TimeMs, e.Position, e.Surface, e.SessionId, e.EventId).ShouldBe((Fallback, -1, "", null, null));
        double.IsNaN(e.Value).ShouldBeTrue();
        e.Context.ShouldBeEmpty();
    }

    [Fact]
    public void Aliases_and_escaped_member_names_are_the_same_members()
    {
        var e = Parse("""{"event":"like","user_id":7,"item_id":12.50,"timestamp":"2024-05-01T14:00:00.5\u002B02:00","\u0076alue":1}""");
        (e.Kind, e.User, e.Item, e.TimeMs, e.Value).ShouldBe((EventKind.Like, "7", "12.50", 1714564800500, 1));
    }

    [Theory]
    [InlineData("1714564800000", 1714564800000)]
    [InlineData("\"2024-05-01T12:00:00Z\"", 1714564800000)]
    [InlineData("\"2024-05-01T12:00:00.1234567Z\"", 1714564800123)]
    [InlineData("\"2024-05-01T07:30:00-04:30\"", 1714564800000)]
    [InlineData("631152000000", EventLimits.TimeMsMin)]
    [InlineData("4102444800000", EventLimits.TimeMsMax)]
    public void Times(string time, long expected) => Parse($$"""{"type":"click","user":"u","item":"i","time":{{time}}}""").TimeMs.ShouldBe(expected);

    [Fact]
    public void Lists_take_ids_or_objects()
    {
        var e = Parse("""{"type":"served","user":"u","items":["a",{"item":"b","position":7,"propensity":0.25,"team":"b","why":"x"},3]}""");
        e.Items.ShouldBe([new("a", 0), new("b", 7, 0.25f, Core.Feeds.Team.B), new("3", 2)]);
    }

    [Fact]
    public void Profiles_come_with_upserts()
    {
        var e = Parse("""{"type":"user_upsert","user":"u","profile":{"interests":["jazz","tea"],"attributes":{"age":30},"later":[]}}""");
        e.Profile!.Interests.ShouldBe(["jazz", "tea"]);
        e.Profile.Attributes.ShouldBe([new("age", "30")]);
    }

    [Fact]
    public void Any_unicode_makes_an_id_and_kinds_without_items_need_none()
    {
        Parse("""{"type":"click","user":"a/b\nc\u0000\ud83d\ude00","item":" "}""").User.ShouldBe("a/b\nc\0😀");
        Parse("""{"type":"tick"}""").User.ShouldBe("");
        Parse("""{"type":"user_delete","user":"u"}""").Kind.ShouldBe(EventKind.UserDelete);
        var custom = Parse("""{"type":"wish\u006cist","user":"u","item":"i"}""");
        (custom.Kind, custom.Type).ShouldBe((EventKind.Custom, "wishlist"));
        Parse("""{"type":"\u0063lick","user":"u","item":"i"}""").Kind.ShouldBe(EventKind.Click);
    }

    [Theory]
    [InlineData("""{"type":"click","user":"u"}""", "item is missing; click needs one")]
    [InlineData("""{"type":"click","item":"i"}""", "user is missing")]
    [InlineData("""{"user":"u","item":"i"}""", "type is missing")]
    [InlineData("""{"type":"click","user":"","item":"i"}""", "user is empty")]
    [InlineData("""{"type":"click","user":"\u0000u","item":"i"}""", "reserved")]
    [InlineData("""{"type":"click","user":["u"],"item":"i"}""", "user is an array; it must be a string or a number")]
    [InlineData("""{"type":"click","user":"u","user_id":"v","item":"i"}""", "user is there twice")]
    [InlineData("""{"type":"click","user":"u","item":"i","time":1700000000}""", "looks like seconds")]
    [InlineData("""{"type":"click","user":"u","item":"i","time":"2024-05-01T12:00:00"}""", "time is '2024-05-01T12:00:00'; it must be ISO 8601 with an offset")]
    [InlineData("""{"type":"click","user":"u","item":"i","time":5000000000000}""", "(2100)")]
    [InlineData("""{"type":"click","user":"u","item":"i","position":-1}""", "position is -1; it must be an integer from 0 to 1000000")]
    [InlineData("""{"type":"click","user":"u","item":"i","value":1e999}""", "value is 1e999; it must be a finite number")]
    [InlineData("""{"type":"click","user":"u","item":"i","profile":{}}""", "profile is allowed with user_upsert only")]
    [InlineData("""{"type":"rating","user":"u","item":"i"}""", "value is missing; rating needs a number")]
    [InlineData("""{"type":"dwell","user":"u","item":"i"}""", "value is missing; dwell needs a number")]
    [InlineData("""{"type":"search","user":"u"}""", "query is missing")]
    [InlineData("""{"type":"impression","user":"u"}""", "impression needs an item, or items")]
    [InlineData("""{"type":"served","user":"u"}""", "served needs at least one element")]
    [InlineData("""{"type":"served","user":"u","items":[{"item":"a","team":"c"}]}""", "items[].team is 'c'; it must be \"a\" or \"b\"")]
    [InlineData("""{"type":"served","user":"u","items":[{"item":"a","propensity":0}]}""", "items[].propensity is 0; it must be above 0 and at most 1")]
    [InlineData("""{"type":"click","user":"u","item":"i","context":{"a":[]}}""", "context.a is an array")]
    [InlineData("""{"type":"click","user":"u","item":"i","session_id":"\udc00"}""", "surrogate")]
    [InlineData("""{"type":"click","user":"u","item":"i"}x""", "not valid JSON")]
    [InlineData("""{"type":"click","user":"u","item":"i","x":[[[[[[[[1]]]]]]]]}""", "depth of 8")]
    [InlineData("""["click"]""", "the record is an array; it must be one JSON object")]
    [InlineData("", "not valid JSON")]
    public void Refusals_name_the_member_and_what_is_allowed(string json, string expected) => Refusal(json).ShouldContain(expected);

    [Fact]
    public void Limits_are_inclusive()
    {
        static string Click(string user) => $$"""{"type":"click","user":"{{user}}","item":"i"}""";
        Parse(Click(new string('é', EventLimits.IdCharsMax))).User.Length.ShouldBe(EventLimits.IdCharsMax);
        Refusal(Click(new string('é', EventLimits.IdCharsMax + 1))).ShouldBe("user has 1025 characters; allowed are 1024");
        Refusal(Click(new string('u', EventLimits.IdCharsMax * 7))).ShouldContain("user is too long");
        var items = Enumerable.Repeat("\"a\"", EventLimits.ItemsMax).ToList();
        Parse($$"""{"type":"served","user":"u","items":[{{string.Join(',', items)}}]}""").Items.Count.ShouldBe(EventLimits.ItemsMax);
        Refusal($$"""{"type":"served","user":"u","items":[{{string.Join(',', items)}},"b"]}""").ShouldContain("more than 1000 elements");
        EventParser.TryParse(new byte[EventLimits.RecordBytesMax + 1], Fallback, out _, out var reason).ShouldBeFalse();
        reason.ShouldBe("the record has 1048577 bytes; allowed are 1048576");
    }

    [Fact]
    public void Without_any_time_there_is_no_event()
    {
        EventParser.TryParse("""{"type":"click","user":"u","item":"i"}"""u8, -1, out _, out var reason).ShouldBeFalse();
        reason!.ShouldContain("time is missing");
    }

    [Fact]
    public void Ten_thousand_malformed_events_are_refused_with_a_reason()
    {
        var kinds = new HashSet<string>();
        foreach (var (kind, bytes) in MalformedEvents.Generate(seed: 7, count: 10_000))
        {
            EventParser.TryParse(bytes, Fallback, out var e, out var reason).ShouldBeFalse($"{kind}: {Encoding.UTF8.GetString(bytes)}");
            e.ShouldBeNull();
            string.IsNullOrWhiteSpace(reason).ShouldBeFalse(kind);
            kinds.Add(kind);
        }
        kinds.Count.ShouldBe(MalformedEvents.Kinds.Count);
        kinds.Count.ShouldBeGreaterThanOrEqualTo(20);
    }

    [Fact]
    public void Broken_copies_of_sound_events_never_throw()
    {
        var records = new RandomRecords(11);
        var writer = new ByteWriter();
        for (var i = 0; i < 40; i++)
        {
            writer.Clear();
            EventWriter.Write(records.Event(), writer);
            Corrupt.Refused(writer.WrittenSpan.ToArray()[..Math.Min(600, writer.Length)], i, 100, bytes =>
            {
                if (!EventParser.TryParse(bytes, Fallback, out _, out var reason)) reason.ShouldNotBeNullOrWhiteSpace();
            }).ShouldBe(0);
        }
    }

    [Fact]
    public void Writing_and_reading_gives_an_equal_event()
    {
        var records = new RandomRecords(3);
        var writer = new ByteWriter();
        var other = new System.Buffers.ArrayBufferWriter<byte>();
        for (var i = 0; i < 3000; i++)
        {
            var e = records.Event();
            writer.Clear();
            EventWriter.Write(e, writer);
            EventParser.TryParse(writer.WrittenSpan, Fallback, out var back, out var reason).ShouldBeTrue(reason);
            (back! with { Items = e.Items, Context = e.Context, Profile = e.Profile }).ShouldBe(e);
            back.Items.ShouldBe(e.Items);
            back.Context.ShouldBe(e.Context);
            (back.Profile?.Interests ?? []).ShouldBe(e.Profile?.Interests ?? []);
            (back.Profile?.Attributes ?? []).ShouldBe(e.Profile?.Attributes ?? []);
            other.ResetWrittenCount();
            EventWriter.Write(back, other);
            other.WrittenSpan.SequenceEqual(writer.WrittenSpan).ShouldBeTrue();
        }
    }

    [Fact]
    public void An_infinite_value_cannot_be_written()
    {
        var e = Parse("""{"type":"click","user":"u","item":"i"}""") with { Value = double.PositiveInfinity };
        Should.Throw<ArgumentException>(() => EventWriter.Write(e, new ByteWriter()));
    }

    [Fact]
    public void The_canonical_form_is_fixed()
    {
        var e = Parse("""{"event":"served","user_id":"u\"1","items":[{"item":"a","propensity":0.5,"team":"a"}],"timestamp":"2024-05-01T12:00:00Z","surface":"home"}""");
        var writer = new ByteWriter();
        EventWriter.Write(e, writer);
        Encoding.UTF8.GetString(writer.WrittenSpan).ShouldBe(
            """{"type":"served","user":"u\"1","items":[{"item":"a","position":0,"propensity":0.5,"team":"a"}],"time":1714564800000,"surface":"home"}""");
    }

    [Fact]
    public void A_click_stays_within_its_allocation_budget()
    {
        var json = Encoding.UTF8.GetBytes(
            """{"type":"click","event_id":"0af7651916cd43dd8448eb211c80319c","user":"u183729","item":"i9283","time":1714564800123,"request_id":"r-183729-home-412","position":3,"surface":"home","session_id":"s-99281"}""");
        json.Length.ShouldBeInRange(190, 210);
        UserEvent? e = null;
        var bytes = Allocated.PerCall(() => EventParser.TryParse(json, Fallback, out e, out _));
        var writer = new ByteWriter();
        var writeBytes = Allocated.PerCall(() =>
        {
            writer.Clear();
            EventWriter.Write(e!, writer);
        });
        bytes.ShouldBeLessThanOrEqualTo(600);
        writeBytes.ShouldBeLessThan(1);
    }
}
