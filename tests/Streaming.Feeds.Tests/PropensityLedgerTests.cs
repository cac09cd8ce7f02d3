using Streaming.Core.Feeds;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Learning.Interleaving;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

/// <summary>Every slot's logged probability is the frequency with which lists of other draws show that item there.</summary>
public sealed class PropensityLedgerTests
{
    private const int Draws = 6000;

    private static readonly FeedsSettings Plain = new()
    {
        ListLength = 6, DiversityWindow = 0, MmrLambda = 1, ExploreEvery = 0, SeenMax = 0, ServedMax = 0, SlateCandidatesMax = 4,
    };

    /// <summary>Items i0, i1, ... best first; none of them is fresh but the last two.</summary>
    private static World Ranked(FeedsSettings settings)
    {
        var world = new World(settings);
        for (var i = 0; i < 8; i++)
        {
            world.Add($"i{i}");
            world.Act($"i{i}", weight: 8 - i);
            world.Ranker.Scores[World.Key($"i{i}")] = 1f - i / 10f;
        }
        return world;
    }

    /// <summary>The lists of one user, every one of another draw.</summary>
    private static List<(FeedList List, ListRef Ref)> Lists(World world, ArmPolicy? arm = null)
    {
        var builder = world.Builder(arm ?? ArmPolicy.Learned);
        var lists = new List<(FeedList, ListRef)>();
        for (var n = 0; n < Draws; n++)
        {
            var user = world.User();
            user.ListVersion = n;
            lists.Add((builder.Build(user, "", arm?.Name ?? "learned", World.Now)!, user.Lists[^1]));
        }
        return lists;
    }

    /// <summary>
    /// Given the slots above, the share of lists that show an item in a slot is what each of them logged for it, within five standard deviations.
    /// </summary>
    private static void ShouldBeFrequencies(IEnumerable<FeedList> lists, int slots)
    {
        var all = lists.ToList();
        for (var s = 0; s < slots; s++)
        {
            foreach (var same in all.GroupBy(l => string.Join(' ', l.Entries.Take(s).Select((e, i) => $"{e.Item}{(l.Teams.Length > 0 ? l.Teams[i] : Team.None)}"))))
            {
                var count = same.Count();
                if (count < 200) continue;
                foreach (var shown in same.GroupBy(l => l.Entries[s].Item))
                {
                    var logged = shown.Select(l => l.Entries[s].Propensity).Distinct().ShouldHaveSingleItem();
                    var error = Math.Sqrt(logged * (1 - logged) / count);
                    ((double)shown.Count() / count).ShouldBe(logged, 5 * error + 1e-9, $"slot {s} after '{same.Key}': {shown.Key}");
                }
            }
        }
    }

    [Fact]
    public void Of_slates()
    {
        var lists = Lists(Ranked(Plain with { SlateShare = 1 }));
        lists.ShouldAllBe(l => l.Ref.Shuffled == 4);
        ShouldBeFrequencies(lists.Select(l => l.List), 4);
        // Each of the four can be first, all of them are there, and what follows is as in any list.
        lists.Select(l => l.List.Entries[0].Item).Distinct().Order().ShouldBe(["i0", "i1", "i2", "i3"]);
        lists.ShouldAllBe(l => l.List.Entries.Take(4).Select(e => e.Item).Order().SequenceEqual(new[] { "i0", "i1", "i2", "i3" }));
        lists.ShouldAllBe(l => l.List.Entries[4].Item == "i4" && l.List.Entries[4].Propensity == 1);
        lists.Select(l => string.Join(' ', l.List.Entries.Take(4).Select(e => e.Item))).Distinct().Count().ShouldBe(24);
        lists[0].List.Entries.Select(e => e.Propensity).ShouldBe([1 / 4f, 1 / 3f, 1 / 2f, 1, 1, 1]);
        lists[0].Ref.Propensities.ShouldBe(lists[0].List.Entries.Select(e => e.Propensity));
    }

    [Fact]
    public void Of_the_lists_that_are_no_slates()
    {
        var lists = Lists(Ranked(Plain with { SlateShare = 0.25 }));
        var slates = lists.Count(l => l.Ref.Shuffled > 0);
        ((double)slates / lists.Count).ShouldBe(0.25, 5 * Math.Sqrt(0.25 * 0.75 / Draws));
        lists.Where(l => l.Ref.Shuffled == 0).ShouldAllBe(l => l.List.Entries[0].Item == "i0" && l.List.Entries.All(e => e.Propensity == 1));
    }

    [Fact]
    public void Of_exploring_slots() => ShouldBeFrequencies(Lists(Ranked(Plain with { ExploreEvery = 2, ExploreEpsilon = 0.4 })).Select(l => l.List), 4);

    [Fact]
    public void Of_slates_before_exploring_slots()
    {
        var lists = Lists(Ranked(Plain with { SlateShare = 1, SlateCandidatesMax = 2, ExploreEvery = 3, ExploreEpsilon = 0.5 }));
        lists.ShouldAllBe(l => l.Ref.Shuffled == 2);
        ShouldBeFrequencies(lists.Select(l => l.List), 3);
    }

    [Fact]
    public void Of_interleaved_lists_which_are_never_slates()
    {
        var world = Ranked(Plain with { SlateShare = 1, SlateCandidatesMax = 3, ListLength = 4 });
        var opponent = new FakeRanker();
        for (var i = 0; i < 8; i++) opponent.Scores[World.Key($"i{i}")] = i;
        var lists = Lists(world, new ArmPolicy { Name = "duel", Interleaving = new InterleavingPolicy(opponent, () => new ProbabilisticInterleave()) });
        lists.ShouldAllBe(l => l.Ref.Shuffled == 0);
        ShouldBeFrequencies(lists.Select(l => l.List), 2);
    }

    [Fact]
    public void Too_few_candidates_make_no_slate()
    {
        var world = new World(Plain with { SlateShare = 1 });
        world.Add("only");
        world.Act("only", weight: 1);
        var user = world.User();
        world.Builder(ArmPolicy.Learned).Build(user, "", "learned", World.Now)!.Entries.ShouldHaveSingleItem().Propensity.ShouldBe(1);
        user.Lists[^1].Shuffled.ShouldBe(0);
    }
}
