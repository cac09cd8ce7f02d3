using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Wire;

namespace Streaming.Core.Tests.Items;

public sealed class ItemParserTests
{
    private const long Fallback = 1_700_000_000_000;

    private static ItemChange Parse(string json)
    {
        ItemParser.TryParse(Encoding.UTF8.GetBytes(json), Fallback, out var change, out var reason).ShouldBeTrue(reason);
        return change!;
    }

    [Fact]
    public void An_upsert_states_the_item_whole()
    {
        var change = Parse("""
            {"id":"i1","tags":["a","b"],"categories":["x"],"author":"ann","published":"2024-05-01","expires":"2024-05-01T12:00:00+02:00",
             "attributes":{"price":9.90,"new":true},"time":1714564800000,"later":{}}
            """);
        (change.Id, change.TimeMs).ShouldBe(("i1", 1714564800000));
        var item = change.Item!;
        item.Tags.ShouldBe(["a", "b"]);
        item.Categories.ShouldBe(["x"]);
        (item.Author, item.PublishedMs, item.ExpiresMs, item.FirstSeenMs).ShouldBe(("ann", 1714521600000, 1714557600000, 1714564800000));
        item.Attributes.ShouldBe([new("price", "9.90"), new("new", "true")]);
        item.IsStub.ShouldBeFalse();
    }

    [Fact]
    public void Defaults_aliases_and_deletes()
    {
        var bare = Parse("""{"item_id":17,"category":"x","timestamp":"2024-05-01"}""");
        (bare.Id, bare.TimeMs, bare.Item!.PublishedMs, bare.Item.ExpiresMs).ShouldBe(("17", 1714521600000, 0, long.MaxValue));
        bare.Item.Categories.ShouldBe(["x"]);
        Parse("""{"id":"i","deleted":true}""").ShouldBe(new ItemChange("i", null, Fallback));
        Parse("""{"id":"i","deleted":false}""").Item.ShouldNotBeNull();
        Parse("""{"id":"old","published":"1950-06-01"}""").Item!.PublishedMs.ShouldBe(1, "0 means unknown, so what is older than 1970 counts as its start");
        Parse("""{"id":"i","published":0}""").Item!.PublishedMs.ShouldBe(0);
    }

    [Theory]
    [InlineData("""{"tags":["a"]}""", "id is missing")]
    [InlineData("""{"id":""}""", "id is empty")]
    [InlineData("""{"id":"i","item":"j"}""", "id is there twice")]
    [InlineData("""{"id":"i","tags":"a"}""", "tags is a string; it must be an array of strings")]
    [InlineData("""{"id":"i","tags":[null]}""", "tags is null; it must be an array of strings")]
    [InlineData("""{"id":"i","category":"a","categories":["b"]}""", "categories is there twice")]
    [InlineData("""{"id":"i","deleted":"yes"}""", "deleted is a string; it must be true or false")]
    [InlineData("""{"id":"i","published":"May 2024"}""", "or a date")]
    [InlineData("""{"id":"i","published":1714564800}""", "looks like seconds")]
    [InlineData("""{"id":"i","published":"2101-01-01"}""", "(2100)")]
    [InlineData("""{"id":"i","time":0}""", "time is 0 ms")]
    [InlineData("""{"id":"i","attributes":{"a":1,"a":2}}""", "attributes has the member 'a' twice")]
    [InlineData("""{"id":"i"}{}""", "not valid JSON")]
    [InlineData("""{"id":"\ud800"}""", "surrogate")]
    [InlineData("7", "the record is a number")]
    public void Refusals_name_the_member_and_what_is_allowed(string json, string expected)
    {
        ItemParser.TryParse(Encoding.UTF8.GetBytes(json), Fallback, out var change, out var reason).ShouldBeFalse();
        change.ShouldBeNull();
        reason!.ShouldContain(expected);
    }

    [Fact]
    public void Writing_and_reading_gives_an_equal_change()
    {
        var records = new RandomRecords(5);
        var writer = new ByteWriter();
        for (var i = 0; i < 2000; i++)
        {
            var change = records.Item();
            writer.Clear();
            ItemWriter.Write(change, writer);
            ItemParser.TryParse(writer.WrittenSpan, Fallback, out var back, out var reason).ShouldBeTrue(reason);
            (back!.Id, back.TimeMs, back.Item is null).ShouldBe((change.Id, change.TimeMs, change.Item is null));
            if (change.Item is not { } item) continue;
            back.Item!.Tags.ShouldBe(item.Tags);
            back.Item.Categories.ShouldBe(item.Categories);
            back.Item.Attributes.ShouldBe(item.Attributes);
            (back.Item.Author, back.Item.PublishedMs, back.Item.ExpiresMs, back.Item.FirstSeenMs)
                .ShouldBe((item.Author, item.PublishedMs, item.ExpiresMs, item.FirstSeenMs));
        }
    }

    [Fact]
    public void Broken_copies_of_sound_items_never_throw()
    {
        var records = new RandomRecords(12);
        var writer = new ByteWriter();
        for (var i = 0; i < 20; i++)
        {
            writer.Clear();
            ItemWriter.Write(records.Item(), writer);
            Corrupt.Refused(writer.WrittenSpan.ToArray()[..Math.Min(500, writer.Length)], i, 100, bytes =>
            {
                if (!ItemParser.TryParse(bytes, EventLimits.TimeMsMin, out _, out var reason)) reason.ShouldNotBeNullOrWhiteSpace();
            }).ShouldBe(0);
        }
    }
}
