using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;

namespace Streaming.Users.Tests;

public sealed class InterestTests
{
    private const long Hour = 3_600_000;

    private static Bench NewBench(int interestsMax = 200, int vectorsMax = 4)
    {
        var bench = new Bench(new UsersSettings
        {
            LongHalfLifeMs = 10 * Hour, ShortHalfLifeMs = Hour, InterestsMax = interestsMax, InterestVectorsMax = vectorsMax,
        });
        void Add(string id, string tag, params float[] vector)
        {
            bench.Models.Catalog.Apply(new ItemChange(id, new Item(id) { Tags = [tag], Categories = ["news"], Author = "ann" }, 1));
            bench.Models.Vectors[StableHash.Of(id)] = vector;
        }
        Add("x", "rock", 1, 0, 0, 0);
        Add("y", "jazz", 0, 1, 0, 0);
        Add("z", "folk", 0, 0, 1, 0);
        Add("w", "soul", 0, 0, 0, 1);
        return bench;
    }

    [Fact]
    public void Weights_halve_with_time_and_late_actions_count_what_is_left_of_them()
    {
        var bench = NewBench();
        var key = InterestKey.Tag("rock");
        bench.Click(0, "x");
        bench.Act(10 * Hour, EventKind.Like, "x");
        bench.State.Interests[key].ShouldBe(new Interest(2.5f, Bench.T0 + 10 * Hour, 2)); // 1/2 + 2
        bench.Click(0, "x");
        bench.State.Interests[key].ShouldBe(new Interest(3f, Bench.T0 + 10 * Hour, 3)); // + 1/2, and time stands
        UserInterests.WeightAt(bench.State.Interests[key], bench.Settings, Bench.T0 + 30 * Hour).ShouldBe(0.75f);
        bench.Act(20 * Hour, EventKind.Dislike, "x");
        bench.State.Interests[key].Weight.ShouldBe(-0.5f); // 3/2 - 2
        bench.State.Interests[InterestKey.Category("news")].Count.ShouldBe(4);
        bench.State.Interests[InterestKey.Author("ann")].Count.ShouldBe(4);
    }

    [Fact]
    public void The_weakest_interests_are_forgotten()
    {
        var bench = NewBench(interestsMax: 3);
        bench.Act(0, EventKind.Purchase, "x");
        bench.Click(1, "y");
        bench.State.Interests.ContainsKey(InterestKey.Tag("rock")).ShouldBeTrue();
        bench.State.Interests.ContainsKey(InterestKey.Tag("jazz")).ShouldBeFalse();
        bench.Act(100 * Hour, EventKind.Dislike, "z");
        bench.State.Interests.ContainsKey(InterestKey.Tag("rock")).ShouldBeFalse("5/1024 is less than an aversion of 2");
        bench.State.Interests[InterestKey.Tag("folk")].Weight.ShouldBe(-2f);
    }

    [Fact]
    public void Short_and_long_vectors_are_decayed_means_and_the_gate_weighs_them()
    {
        var bench = NewBench();
        bench.Click(0, "x");
        bench.Click(10 * Hour, "y");
        var s = bench.State;
        s.LongVector.ShouldBe([1 / 3f, 2 / 3f, 0, 0], 1e-6); // weights 1/2 and 1
        s.LongWeight.ShouldBe(1.5f);
        s.ShortVector[0].ShouldBe(1 / 1025f, 1e-6f); // weights 1/1024 and 1
        s.ShortWeight.ShouldBe(1 + 1 / 1024f);
        var g = UserInterests.Gate(s, bench.Settings, Bench.T0 + 10 * Hour);
        g.ShouldBe((1 + 1 / 1024f) / (1 + 1 / 1024f + MathF.Sqrt(1.5f)), 1e-6f);
        UserInterests.Gate(s, bench.Settings, Bench.T0 + 20 * Hour).ShouldBeLessThan(0.01f);
        bench.Act(10 * Hour, EventKind.Dislike, "z");
        s.LongVector[2].ShouldBe(0, "dislikes leave the vectors alone");
        bench.Click(0, "z");
        s.LongVector.ShouldBe([0.25f, 0.5f, 0.25f, 0], 1e-6); // the late one counts 1/2 of 2
    }

    [Fact]
    public void The_query_mixes_unit_vectors()
    {
        var bench = NewBench();
        var query = new float[Bench.Dimension];
        UserInterests.Query(bench.State, bench.Settings, Bench.T0, query).ShouldBeFalse();
        query.ShouldBe(new float[Bench.Dimension]);
        bench.State.Embedding[3] = 20;
        bench.State.ShortVector[0] = 3;
        bench.State.LongVector[1] = 5;
        (bench.State.ShortWeight, bench.State.ShortMs, bench.State.LongWeight, bench.State.LongMs) = (2, Bench.T0, 4, Bench.T0);
        UserInterests.Query(bench.State, bench.Settings, Bench.T0, query).ShouldBeTrue();
        query.ShouldBe([0.25f, 0.25f, 0, 0.5f], 1e-6); // g = 2 / (2 + 2)
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    [InlineData(8, 3)]
    [InlineData(16, 4)]
    [InlineData(1000, 4)]
    public void The_number_of_interest_vectors_follows_the_history(int history, int expected) =>
        InterestUpdater.VectorCount(history, 4).ShouldBe(expected);

    [Fact]
    public void Interest_vectors_split_as_history_grows_and_follow_their_nearest_items()
    {
        var bench = NewBench();
        bench.Click(0, "x");
        bench.Click(0, "y");
        bench.Click(0, "x");
        var only = bench.State.InterestVectors.ShouldHaveSingleItem();
        only.Centre.ShouldBe([2 / 3f, 1 / 3f, 0, 0], 1e-6);
        bench.Click(0, "z"); // the 4th: K' = 2
        bench.State.InterestVectors.Select(v => v.Weight).ShouldBe([3f, 1f]);
        bench.State.InterestVectors[1].Centre.ShouldBe([0, 0, 1, 0]);
        bench.Click(0, "z");
        bench.Click(0, "x");
        bench.State.InterestVectors.Select(v => v.Weight).ShouldBe([4f, 2f]);
        bench.Click(0, "z");
        bench.Click(0, "z"); // the 8th: K' = 3, but z is an interest already
        bench.State.InterestVectors.Count.ShouldBe(2);
        bench.Click(0, "w");
        bench.State.InterestVectors.Count.ShouldBe(3);
    }
}
