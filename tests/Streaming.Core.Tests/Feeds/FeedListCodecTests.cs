using Streaming.Suites;
using System.Text;
using System.Text.Json;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Core.Tests.Feeds;

public sealed class FeedListCodecTests
{
    private static FeedEntry Entry(string item, float score, string channel, float propensity) => new(item, StableHash.Of(item), score, channel, propensity);

    private static readonly FeedList Sample = new()
    {
        User = "u1", Surface = "home", Arm = "learned", Version = 7, BuiltMs = 1_714_564_800_000, LastEventMs = 1_714_564_799_990,
        LastApplied = new LogPosition(3, 99), Models = "ftrl:812",
        Entries = [Entry("i\"1", 0.5f, "itemcf", 1f), Entry("i2", -0.125f, "popular", 0.25f), Entry("é", 3e-9f, "itemcf", 0.5f)],
    };

    private const string Golden = 
        "010700000000000000009e06348f010000f69d06348f01000063000000000000000300000003753105686f6d65086c6561726e6564096674726c3a383132"
        + "02076974656d636608706f70756c617203" + "8e000000"
        + "00000000040000000000003f0000803f" + "2f00000002000001000000be0000803e" + "60000000020000008f284e310000003f"
        + "7b226974656d223a22695c2231222c2273636f7265223a302e352c226368616e6e656c223a226974656d6366227d2c"
        + "7b226974656d223a226932222c2273636f7265223a2d302e3132352c226368616e6e656c223a22706f70756c6172227d2c"
        + "7b226974656d223a22c3a9222c2273636f7265223a33452d30392c226368616e6e656c223a226974656d6366227d";

    private static readonly FeedList Interleaved = new()
    {
        User = Sample.User, Surface = Sample.Surface, Arm = Sample.Arm, Version = Sample.Version, BuiltMs = Sample.BuiltMs, LastEventMs = Sample.LastEventMs,
        LastApplied = Sample.LastApplied, Models = Sample.Models, Entries = Sample.Entries, Teams = [Team.A, Team.None, Team.B],
    };

    private const string GoldenWithTeams =
        "020700000000000000009e06348f010000f69d06348f01000063000000000000000300000003753105686f6d65086c6561726e6564096674726c3a383132"
        + "02076974656d636608706f70756c617203" + "a4000000"
        + "00000000040000000000003f0000803f01" + "3a00000002000001000000be0000803e00" + "6b000000020000008f284e310000003f02"
        + "7b226974656d223a22695c2231222c2273636f7265223a302e352c226368616e6e656c223a226974656d6366222c227465616d223a2261227d2c"
        + "7b226974656d223a226932222c2273636f7265223a2d302e3132352c226368616e6e656c223a22706f70756c6172227d2c"
        + "7b226974656d223a22c3a9222c2273636f7265223a33452d30392c226368616e6e656c223a226974656d6366222c227465616d223a2262227d";

    private static byte[] Bytes(FeedList list)
    {
        var writer = new ByteWriter();
        FeedListCodec.Write(list, writer);
        return writer.WrittenSpan.ToArray();
    }

    [Fact]
    public void The_bytes_of_version_1_are_fixed_and_read()
    {
        Convert.ToHexStringLower(Bytes(Sample)).ShouldBe(Golden);
        Same(FeedListCodec.Read(Convert.FromHexString(Golden)), Sample);
    }

    [Fact]
    public void The_bytes_of_version_2_are_fixed_and_read_and_its_pages_name_the_teams()
    {
        Convert.ToHexStringLower(Bytes(Interleaved)).ShouldBe(GoldenWithTeams);
        Same(FeedListCodec.Read(Convert.FromHexString(GoldenWithTeams)), Interleaved);
        var view = new FeedListView(Bytes(Interleaved));
        (view.HasTeams, view.Team(0), view.Team(1), view.Team(2)).ShouldBe((true, Team.A, Team.None, Team.B));
        new FeedListView(Bytes(Sample)).Team(0).ShouldBe(Team.None);
        Encoding.UTF8.GetString(view.EntriesJson(0, 2)).ShouldBe(
            """{"item":"i\"1","score":0.5,"channel":"itemcf","team":"a"},{"item":"i2","score":-0.125,"channel":"popular"}""");
    }

    [Fact]
    public void A_page_is_one_span_of_ready_JSON()
    {
        var view = new FeedListView(Bytes(Sample));
        (view.Version, view.BuiltMs, view.LastEventMs, view.LastApplied, view.Count)
            .ShouldBe((7L, 1_714_564_800_000L, 1_714_564_799_990L, new LogPosition(3, 99), 3));
        Encoding.UTF8.GetString(view.Arm).ShouldBe("learned");
        Encoding.UTF8.GetString(view.Models).ShouldBe("ftrl:812");
        Encoding.UTF8.GetString(view.EntriesJson(0, 2)).ShouldBe(
            """{"item":"i\"1","score":0.5,"channel":"itemcf"},{"item":"i2","score":-0.125,"channel":"popular"}""");
        Encoding.UTF8.GetString(view.EntriesJson(2, int.MaxValue)).ShouldBe("""{"item":"é","score":3E-09,"channel":"itemcf"}""");
        view.EntriesJson(3, 10).IsEmpty.ShouldBeTrue();
        view.EntriesJson(0, 0).IsEmpty.ShouldBeTrue();
        Encoding.UTF8.GetString(view.EntryJson(1)).ShouldBe("""{"item":"i2","score":-0.125,"channel":"popular"}""");
        Encoding.UTF8.GetString(view.ItemJson(0)).ShouldBe("\"i\\\"1\"");
        (view.Item(0), view.Item(2), view.Propensity(1), view.Score(1)).ShouldBe(("i\"1", "é", 0.25f, -0.125f));
        Encoding.UTF8.GetString(view.Channel(1)).ShouldBe("popular");
    }

    [Fact]
    public void Asking_beyond_the_list_is_a_bug()
    {
        var bytes = Bytes(Sample);
        Should.Throw<ArgumentOutOfRangeException>(() => new FeedListView(bytes).EntryJson(3));
        Should.Throw<ArgumentOutOfRangeException>(() => new FeedListView(bytes).Item(-1));
        Should.Throw<ArgumentOutOfRangeException>(() => new FeedListView(bytes).EntriesJson(-1, 1));
    }

    [Fact]
    public void Random_lists_come_back_and_every_page_is_JSON()
    {
        var records = new RandomRecords(8);
        for (var i = 0; i < 200; i++)
        {
            var list = records.List(i % 41);
            var bytes = Bytes(list);
            Same(FeedListCodec.Read(bytes), list);
            var view = new FeedListView(bytes);
            var (from, count) = (records.Random.Next(41), records.Random.Next(41));
            using var page = JsonDocument.Parse($"[{Encoding.UTF8.GetString(view.EntriesJson(from, count))}]");
            page.RootElement.EnumerateArray().Select(e => e.GetProperty("item").GetString()).ShouldBe(list.Entries.Skip(from).Take(count).Select(e => e.Item));
            page.RootElement.EnumerateArray().Select(e => e.GetProperty("score").GetSingle()).ShouldBe(list.Entries.Skip(from).Take(count).Select(e => e.Score));
        }
    }

    [Fact]
    public void Corrupt_bytes_are_refused()
    {
        var records = new RandomRecords(9);
        for (var i = 0; i < 20; i++)
        {
            var bytes = Bytes(records.List(3));
            var refused = Corrupt.Refused(bytes, i, 500, b =>
            {
                FeedListCodec.Read(b);
                var view = new FeedListView(b);
                for (var at = 0; at < view.Count; at++) view.EntriesJson(0, at + 1);
            });
            refused.ShouldBeGreaterThanOrEqualTo(bytes.Length, "every truncation is refused");
        }
        Should.Throw<FormatException>(() => FeedListCodec.Read([])).Message.ShouldNotBeEmpty();
        Should.Throw<FormatException>(() => FeedListCodec.Read([3, .. Bytes(Sample)[1..]])).Message.ShouldContain("newer build");
    }

    [Fact]
    public void A_score_that_JSON_cannot_hold_cannot_be_written()
    {
        var list = new FeedList
        {
            User = "u", Surface = "", Arm = "", Version = 1, BuiltMs = 1, LastEventMs = 1, LastApplied = default, Models = "",
            Entries = [Entry("i", float.NaN, "popular", 1f)],
        };
        Should.Throw<ArgumentException>(() => Bytes(list));
    }

    [Fact]
    public void Writing_and_slicing_allocate_nothing()
    {
        var list = new FeedList
        {
            User = "u183729", Surface = "home", Arm = "learned", Version = 7, BuiltMs = 1_714_564_800_000, LastEventMs = 1_714_564_799_990,
            LastApplied = new LogPosition(3, 99), Models = "ftrl:812 mf:812",
            Entries = [.. Enumerable.Range(0, 50).Select(i => Entry($"i{i * 7919}", 1f / (i + 3), i % 3 == 0 ? "popular" : "itemcf", 1f))],
        };
        var writer = new ByteWriter(8192);
        var writeBytes = Allocated.PerCall(() =>
        {
            writer.Clear();
            FeedListCodec.Write(list, writer);
        });
        var bytes = writer.WrittenSpan.ToArray();
        var page = new ByteWriter(8192);
        var sliceBytes = Allocated.PerCall(() =>
        {
            page.Clear();
            page.Raw(new FeedListView(bytes).EntriesJson(10, 20));
        });
        writeBytes.ShouldBeLessThan(1);
        sliceBytes.ShouldBeLessThan(1);
    }

    private static void Same(FeedList a, FeedList b)
    {
        (a.User, a.Surface, a.Arm, a.Version, a.BuiltMs, a.LastEventMs, a.LastApplied, a.Models)
            .ShouldBe((b.User, b.Surface, b.Arm, b.Version, b.BuiltMs, b.LastEventMs, b.LastApplied, b.Models));
        a.Entries.ShouldBe(b.Entries);
        a.Teams.ShouldBe(b.Teams);
    }
}
