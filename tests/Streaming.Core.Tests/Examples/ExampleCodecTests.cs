using Streaming.Suites;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Core.Tests.Examples;

public sealed class ExampleCodecTests
{
    private static byte[] Bytes(Example example)
    {
        var writer = new ByteWriter();
        ExampleCodec.Write(example, writer);
        return writer.WrittenSpan.ToArray();
    }

    private static byte[] Bytes(Interaction interaction)
    {
        var writer = new ByteWriter();
        ExampleCodec.Write(interaction, writer);
        return writer.WrittenSpan.ToArray();
    }

    private static readonly Example Sample = new()
    {
        Source = new LogPosition(2, 1234), Ordinal = 1, User = "u1", ItemKey = 0x1122334455667788, ItemId = "i1", ShownMs = 1_714_564_800_000,
        LabelMs = 1_714_564_801_500, Label = 1, Weight = 5, SampleRate = 0.25f, IsCorrection = true, Action = EventKind.Purchase, Position = 3,
        Surface = "home", Arm = "learned", ListVersion = 7, ModelVersion = "ftrl:812", Propensity = 0.5f, Features = [1, 0xfffffffe], Values = [1, -2.5f],
        UserVector = [0.5f, -0.25f],
    };

    private static readonly Example Interleaved = new()
    {
        Source = Sample.Source, Ordinal = 1, User = "u1", ItemKey = Sample.ItemKey, ItemId = "i1", ShownMs = Sample.ShownMs, LabelMs = Sample.LabelMs, Label = 1,
        Weight = 5, SampleRate = 0.25f, IsCorrection = true, Action = EventKind.Purchase, Position = 3, Surface = "home", Arm = "learned", ListVersion = 7,
        ModelVersion = "ftrl:812", Propensity = 0.5f, Features = Sample.Features, Values = Sample.Values, UserVector = Sample.UserVector,
        Team = Team.B, Dense = [1, -0.5f],
    };

    private static readonly Example Drawn = new()
    {
        Source = Sample.Source, Ordinal = Sample.Ordinal, User = Sample.User, ItemKey = Sample.ItemKey, ShownMs = Sample.ShownMs, LabelMs = Sample.LabelMs,
        Label = 1, Propensity = 0.5f, Features = [1], Values = [1], Slate = [Sample.ItemKey, 7],
    };

    /// <summary>What follows the label of an impression: a like, and no purchase.</summary>
    private static readonly Example FollowUp = new()
    {
        Source = Sample.Source, Ordinal = Sample.Ordinal, User = Sample.User, ItemKey = Sample.ItemKey, ShownMs = Sample.ShownMs, LabelMs = Sample.LabelMs,
        Label = 1, Propensity = 0.5f, Features = [1], Values = [1], Slate = [Sample.ItemKey, 7], Action = EventKind.Like,
        GoalsKnown = Goals.MaskOf([EventKind.Like, EventKind.Purchase]), GoalsMet = Goals.Bit(EventKind.Like), IsFollowUp = true,
    };

    private const string FollowUpGolden =
        "01050e04a4130203753188776655443322110080f8b4c0e663b8170000803f0000003f040101010001010100000000039001100288776655443322110700000000000000";

    private const string DrawnGolden = 
        "01040e04a4130203753188776655443322110080f8b4c0e663b8170000803f0000003f0101010100010101000000000288776655443322110700000000000000";

    private const string InterleavedGolden =
        "0101c104a41302037531887766554433221103693180f8b4c0e663b8170000803f0000a0400000803e0000003f02070605686f6d65086c6561726e6564"
        + "0e096674726c3a3831320201000000feffffff0000803f000020c0020000003f000080be020000803f000000bf";

    private static readonly Interaction Act = new()
    {
        Source = new LogPosition(2, 1234), Ordinal = 0, User = "u1", ItemKey = 0x1122334455667788, Action = EventKind.Dislike, Weight = -2,
        TimeMs = 1_714_564_801_500, Surface = "home", Recent = [1, 0xffffffffffffffff], UserActions = 3,
    };

    private const string SampleGolden = 
        "01010104a41302037531887766554433221103693180f8b4c0e663b8170000803f0000a0400000803e0000003f070605686f6d65086c6561726e6564"
        + "0e096674726c3a3831320201000000feffffff0000803f000020c0020000003f000080be";
    private const string ActGolden = 
        "01020004a41300037531887766554433221100b88fb5c0e663000000c00805686f6d6506020100000000000000ffffffffffffffff";

    [Fact]
    public void A_deletion_in_the_topic_names_its_user_by_hash_only()
    {
        var into = new Core.Wire.ByteWriter();
        ExampleCodec.Write(new Forgotten { Source = new Core.Log.LogPosition(2, 300), User = 0x1122334455667788 }, into);
        Convert.ToHexString(into.WrittenSpan).ShouldBe(ForgottenGolden);
        var read = ExampleCodec.Read(Convert.FromHexString(ForgottenGolden));
        (read.Example is null && read.Interaction is null).ShouldBeTrue();
        read.Forgotten!.Source.ShouldBe(new Core.Log.LogPosition(2, 300));
        read.Forgotten.User.ShouldBe(0x1122334455667788UL);
        for (var length = 0; length < ForgottenGolden.Length / 2; length++)
        {
            var cut = Convert.FromHexString(ForgottenGolden)[..length];
            Should.Throw<FormatException>(() => ExampleCodec.Read(cut));
        }
    }

    private const string ForgottenGolden = "01030004D8048877665544332211";

    [Fact]
    public void The_bytes_of_version_1_are_fixed()
    {
        Convert.ToHexStringLower(Bytes(Sample)).ShouldBe(SampleGolden);
        Convert.ToHexStringLower(Bytes(Act)).ShouldBe(ActGolden);
        Convert.ToHexStringLower(Bytes(Interleaved)).ShouldBe(InterleavedGolden);
        Convert.ToHexStringLower(Bytes(Drawn)).ShouldBe(DrawnGolden);
        Convert.ToHexStringLower(Bytes(FollowUp)).ShouldBe(FollowUpGolden);
    }

    [Fact]
    public void The_bytes_of_version_1_are_read()
    {
        Same(ExampleCodec.Read(Convert.FromHexString(SampleGolden)).Example!, Sample);
        Same(ExampleCodec.Read(Convert.FromHexString(ActGolden)).Interaction!, Act);
        Same(ExampleCodec.Read(Convert.FromHexString(InterleavedGolden)).Example!, Interleaved);
        Same(ExampleCodec.Read(Convert.FromHexString(DrawnGolden)).Example!, Drawn);
        Same(ExampleCodec.Read(Convert.FromHexString(FollowUpGolden)).Example!, FollowUp);
    }

    [Fact]
    public void Goals_that_are_none_or_met_without_being_known_are_refused()
    {
        var good = Convert.FromHexString(FollowUpGolden);
        // Before the slate of two keys and its length: flags, known and met, of which the masks have two bytes and one.
        var at = good.Length - 17 - 4;
        good[at].ShouldBe((byte)3);
        foreach (var (place, value) in new[] { (at, 4), (at + 1, 0x91), (at + 3, 0x20) })
        {
            byte[] bad = [.. good];
            bad[place] = (byte)value;
            Should.Throw<FormatException>(() => ExampleCodec.Read(bad));
        }
    }

    [Fact]
    public void Random_records_come_back()
    {
        var records = new RandomRecords(1);
        for (var i = 0; i < 1000; i++)
        {
            var example = records.Example();
            var read = ExampleCodec.Read(Bytes(example));
            read.Interaction.ShouldBeNull();
            Same(read.Example!, example);
            var interaction = records.Interaction();
            read = ExampleCodec.Read(Bytes(interaction));
            read.Example.ShouldBeNull();
            Same(read.Interaction!, interaction);
        }
    }

    [Fact]
    public void Corrupt_bytes_are_refused()
    {
        var records = new RandomRecords(2);
        for (var i = 0; i < 30; i++)
        {
            var example = Bytes(records.Example());
            Corrupt.Refused(example, i, 300, b => ExampleCodec.Read(b)).ShouldBeGreaterThanOrEqualTo(example.Length, "every truncation is refused");
            var interaction = Bytes(records.Interaction());
            Corrupt.Refused(interaction, i, 300, b => ExampleCodec.Read(b)).ShouldBeGreaterThanOrEqualTo(interaction.Length);
        }
        Should.Throw<FormatException>(() => ExampleCodec.Read([.. Bytes(Act), 0])).Message.ShouldContain("follow");
        Should.Throw<FormatException>(() => ExampleCodec.Read([2, .. Bytes(Act)[1..]])).Message.ShouldContain("newer build");
    }

    [Fact]
    public void Features_without_their_values_cannot_be_written()
    {
        var bad = new Example { Source = default, Ordinal = 0, User = "u", ItemKey = 1, ShownMs = 1, LabelMs = 1, Label = 0, Features = [1], Values = [] };
        Should.Throw<ArgumentException>(() => ExampleCodec.Write(bad, new ByteWriter()));
    }

    [Fact]
    public void A_typical_example_is_compact_and_writes_without_allocating()
    {
        var example = new Example
        {
            Source = new LogPosition(2, 123_456), Ordinal = 0, User = "u183729", ItemKey = 0x1122334455667788, ShownMs = 1_714_564_800_000,
            LabelMs = 1_714_564_801_500, Label = 0, Position = 3, Surface = "home", Arm = "learned", ListVersion = 7, ModelVersion = "ftrl:812 mf:812",
            Features = [.. Enumerable.Range(0, 30).Select(i => (uint)i * 2654435761u)], Values = [.. Enumerable.Repeat(1f, 30)], UserVector = new float[16],
        };
        var writer = new ByteWriter(1024);
        var writeBytes = Allocated.PerCall(() =>
        {
            writer.Clear();
            ExampleCodec.Write(example, writer);
        });
        var bytes = writer.WrittenSpan.ToArray();
        var readBytes = Allocated.PerCall(() => ExampleCodec.Read(bytes));
        bytes.Length.ShouldBeLessThan(260);
        writeBytes.ShouldBeLessThan(1);
        readBytes.ShouldBeLessThan(700, "the example, its arrays and the user's name");
    }

    private static void Same(Example a, Example b)
    {
        (a.Source, a.Ordinal, a.User, a.ItemKey, a.ItemId, a.ShownMs, a.LabelMs).ShouldBe((b.Source, b.Ordinal, b.User, b.ItemKey, b.ItemId, b.ShownMs, b.LabelMs));
        (a.Label, a.Weight, a.SampleRate, a.IsCorrection, a.Action, a.Position).ShouldBe((b.Label, b.Weight, b.SampleRate, b.IsCorrection, b.Action, b.Position));
        (a.Surface, a.Arm, a.ListVersion, a.ModelVersion, a.Propensity).ShouldBe((b.Surface, b.Arm, b.ListVersion, b.ModelVersion, b.Propensity));
        a.Features.ShouldBe(b.Features);
        a.Values.ShouldBe(b.Values);
        a.UserVector.ShouldBe(b.UserVector);
        a.Slate.ShouldBe(b.Slate);
        (a.GoalsKnown, a.GoalsMet, a.IsFollowUp).ShouldBe((b.GoalsKnown, b.GoalsMet, b.IsFollowUp));
        a.History.ShouldBe(b.History);
        a.HistoryInSession.ShouldBe(b.HistoryInSession);
        a.Team.ShouldBe(b.Team);
        a.Dense.ShouldBe(b.Dense);
    }

    private static void Same(Interaction a, Interaction b)
    {
        (a.Source, a.Ordinal, a.User, a.ItemKey, a.ItemId, a.Action).ShouldBe((b.Source, b.Ordinal, b.User, b.ItemKey, b.ItemId, b.Action));
        (a.Weight, a.TimeMs, a.Surface, a.UserActions).ShouldBe((b.Weight, b.TimeMs, b.Surface, b.UserActions));
        a.Recent.ShouldBe(b.Recent);
    }
}
