using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;

namespace Streaming.Users.Tests;

/// <summary>The state without an item is the state of a user who never met it.</summary>
public sealed class LeaveOutTests
{
    private const long Hour = 3_600_000;

    private static Bench NewBench()
    {
        var bench = new Bench(new UsersSettings { LongHalfLifeMs = 10 * Hour, ShortHalfLifeMs = Hour });
        foreach (var id in (string[])["i1", "i2", "i3", "i4"]) bench.Models.AddItem(id);
        return bench;
    }

    private static readonly (long At, EventKind Kind, string Item)[] Story =
    [
        (0, EventKind.Click, "i1"), (Hour / 4, EventKind.Click, "i2"), (Hour / 3, EventKind.Like, "i3"), (Hour / 2, EventKind.Purchase, "i2"), (Hour, EventKind.Click, "i4"),
    ];

    private static Bench Told(Func<string, bool> tells)
    {
        var bench = NewBench();
        foreach (var (at, kind, item) in Story)
            if (tells(item)) bench.Act(at, kind, item);
        return bench;
    }

    [Theory]
    [InlineData("i1"), InlineData("i2"), InlineData("i3")]
    public void Without_an_item_sums_means_and_sequences_are_those_of_who_never_met_it(string gone)
    {
        var (all, never) = (Told(_ => true), Told(item => item != gone));
        var before = LeaveOut.Snapshot(all.State);
        var state = LeaveOut.Read(before, Bench.Dimension, "u");
        LeaveOut.Item(state, StableHash.Of(gone), all.Settings, all.Models);
        var expected = never.State;
        state.History.ShouldBe(expected.History);
        state.Session.Actions.ShouldBe(expected.Session.Actions);
        state.Positives.ShouldBe(expected.Positives);
        state.Interests.Keys.ShouldBe(expected.Interests.Keys, ignoreOrder: true);
        foreach (var (key, interest) in expected.Interests)
        {
            UserInterests.WeightAt(state.Interests[key], all.Settings, Bench.T0 + 2 * Hour).ShouldBe(UserInterests.WeightAt(interest, all.Settings, Bench.T0 + 2 * Hour), 1e-5);
            state.Interests[key].Count.ShouldBe(interest.Count);
        }
        for (var d = 0; d < Bench.Dimension; d++)
        {
            state.ShortVector[d].ShouldBe(expected.ShortVector[d], 1e-5f);
            state.LongVector[d].ShouldBe(expected.LongVector[d], 1e-5f);
        }
        state.ShortWeight.ShouldBe(expected.ShortWeight, 1e-5f);
        state.LongWeight.ShouldBe(expected.LongWeight, 1e-5f);
        LeaveOut.Snapshot(all.State).ShouldBe(before, "the actor's own state is only read");
    }

    [Fact]
    public void Without_their_only_item_nothing_of_a_user_is_left_to_recommend_by()
    {
        var bench = Told(item => item == "i4");
        bench.State.ShortWeight.ShouldBeGreaterThan(0);
        LeaveOut.Item(bench.State, StableHash.Of("i4"), bench.Settings, bench.Models);
        (bench.State.History.Count, bench.State.Session.Actions.Count, bench.State.Interests.Count, bench.State.InterestVectors.Count, bench.State.Positives).ShouldBe((0, 0, 0, 0, 0));
        (bench.State.ShortWeight, bench.State.LongWeight).ShouldBe((0, 0));
        bench.State.ShortVector.Concat(bench.State.LongVector).ShouldAllBe(x => x == 0);
    }

    [Fact]
    public void What_the_catalogue_no_longer_knows_leaves_the_sequences_alone_changed()
    {
        var bench = Told(_ => true);
        bench.Models.Catalog.Apply(new ItemChange("i1", null, 2));
        bench.Models.Vectors.Remove(StableHash.Of("i1"));
        var (interests, weight) = (bench.State.Interests.ToList(), bench.State.ShortWeight);
        LeaveOut.Item(bench.State, StableHash.Of("i1"), bench.Settings, bench.Models);
        bench.State.History.Select(a => a.ItemKey).ShouldNotContain(StableHash.Of("i1"));
        bench.State.Interests.ShouldBe(interests);
        bench.State.ShortWeight.ShouldBe(weight);
    }
}
