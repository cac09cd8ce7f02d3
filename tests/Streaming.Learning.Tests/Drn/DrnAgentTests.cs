using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Learning.Drn;

namespace Streaming.Learning.Tests.Drn;

/// <summary>The agent on a planted world: of 20 items, whose one feature is their worth, those above 0.5 are clicked.</summary>
public sealed class DrnAgentTests
{
    private const int StateLength = 3, ActionLength = 2, Items = 20, Slots = 4;

    private static readonly DrnSettings Small = new()
    {
        Hidden1 = 8, Hidden2 = 8, ReplayListsMax = 64, BatchLists = 8, MajorEveryLists = 1, LearningRate = 0.01, TargetSyncEvery = 20, NextActionsMax = 5,
        WaitingListsMax = 50,
    };

    [Fact]
    public void Learns_what_is_clicked_with_every_exploration()
    {
        foreach (var exploration in Enum.GetValues<DrnExploration>())
        {
            var agent = New(Small with { Exploration = exploration, InterleaveSharpness = 8 });

            var early = Play(agent, 0, 60);
            var late = Play(agent, 60, 400);

            // At random 2 of 4 slots are clicked.
            (late / 340).ShouldBeGreaterThan(3.2f, exploration.ToString());
            (late / 340).ShouldBeGreaterThan(early / 60, exploration.ToString());
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_weights_and_another_seed_others()
    {
        var (a, b, c) = (New(Small), New(Small), new DrnAgent(Small, StateLength, ActionLength, 8));
        foreach (var agent in (DrnAgent[])[a, b, c]) Play(agent, 0, 60);

        a.Weights.SequenceEqual(b.Weights).ShouldBeTrue();
        a.Weights.SequenceEqual(c.Weights).ShouldBeFalse();
    }

    [Fact]
    public void Minor_updates_follow_won_duels_alone()
    {
        var agent = New(Small with { MajorEveryLists = 1_000_000 });
        var before = agent.Weights.ToArray();

        var list = Choose(agent, 0);
        agent.Answer(list, [.. list.Teams.Select(t => t == Team.B ? 0f : 1f)]);
        agent.Weights.SequenceEqual(before).ShouldBeTrue();
        while (!(list = Choose(agent, 1)).Teams.Contains(Team.B)) agent.Answer(list, new float[Slots]);
        agent.Answer(list, [.. list.Teams.Select(t => t == Team.B ? 1f : 0f)]);

        agent.MinorUpdates.ShouldBe(1);
        for (var i = 0; i < before.Length; i++)
        {
            // eta x alpha x |rand| of the weight at most.
            Math.Abs(agent.Weights[i] - before[i]).ShouldBeLessThanOrEqualTo(0.05f * 0.1f * Math.Abs(before[i]) * 1.001f + 1e-9f);
        }
        agent.Weights.SequenceEqual(before).ShouldBeFalse();
    }

    [Fact]
    public void Resumes_bit_exact_from_its_checkpoint_at_any_step()
    {
        var whole = New(Small);
        Play(whole, 0, 90);
        for (var cut = 1; cut < 90; cut += 11)
        {
            var first = New(Small);
            Play(first, 0, cut);
            var resumed = New(Small);
            resumed.Load(new MemoryStream(Saved(first)));
            Play(resumed, cut, 90);

            Saved(resumed).ShouldBe(Saved(whole), $"cut at {cut}");
        }
    }

    [Fact]
    public void A_broken_checkpoint_is_refused_and_changes_nothing()
    {
        var agent = New(Small with { ReplayListsMax = 4, WaitingListsMax = 3 });
        Play(agent, 0, 12);
        var bytes = Saved(agent);

        for (var length = 0; length < bytes.Length; length += 7)
            Should.Throw<InvalidDataException>(() => agent.Load(new MemoryStream(bytes, 0, length)), $"cut at {length}");
        for (var at = 0; at < bytes.Length; at++)
        {
            var torn = bytes.ToArray();
            torn[at] ^= (byte)(1 << (at % 8));
            Should.Throw<InvalidDataException>(() => agent.Load(new MemoryStream(torn)), $"byte {at}");
        }
        Saved(agent).ShouldBe(bytes);
        Should.Throw<InvalidDataException>(() => new DrnAgent(Small with { ReplayListsMax = 4 }, StateLength, ActionLength + 1, 7).Load(new MemoryStream(bytes)))
            .Message.ShouldContain("action features");
        Should.Throw<InvalidDataException>(() => new DrnAgent(Small with { ReplayListsMax = 4 }, StateLength, ActionLength, 8).Load(new MemoryStream(bytes)))
            .Message.ShouldContain("seed");
    }

    [Theory]
    [InlineData(Golden)]
    [InlineData(Golden2)]
    public void Both_versions_of_the_checkpoint_are_read_and_the_second_is_written(string golden)
    {
        var agent = new DrnAgent(Tiny, StateLength, ActionLength, 7);

        agent.Load(new MemoryStream(Convert.FromBase64String(golden)));

        Convert.ToBase64String(Saved(agent)).ShouldBe(Golden2);
        agent.ListsAnswered.ShouldBe(3);
    }

    [Fact]
    public void Memory_is_bounded()
    {
        var agent = New(Small with { ReplayListsMax = 4, WaitingListsMax = 3 });
        Play(agent, 0, 30);
        var small = Saved(agent).Length;

        // Fifty different users, of whom three may wait.
        for (var n = 0; n < 50; n++) agent.Answer(Choose(agent, 1000 + n, user: (ulong)(100 + n)), new float[Slots]);

        Saved(agent).Length.ShouldBeLessThan(small + 200);
    }

    private static readonly DrnSettings Tiny = new() { Hidden1 = 2, Hidden2 = 2, ReplayListsMax = 2, BatchLists = 2, MajorEveryLists = 1, NextActionsMax = 2, WaitingListsMax = 2 };

    /// <summary>Written when version 1 came to be; must stay readable.</summary>
    private const string Golden =
        "AQMAAAACAAAAAgAAAAIAAADKMm3GWUPKxQMAAAAAAAAAAwAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAADA//HUCr7bt6A+p9bWPvd1mr2+xrY+GKFvPSAxrL6Z"
        + "dPg+iO77vZNb9L6Sf9K+9n2ZPtM1ZD5wGJE+X48DPMwvtb4s0uC9Vq+BPuGrz70scoU9THBMvtc0ST7PH98+EZ+9vp5fv7748eu8MaIZP2daBz84RZ8+YSRv"
        + "Pku8Eb7YGRO+yp0KvtYioD60itc+C7mZvVehtz7rgXA9dl6svtc3+T7nzPq9IznzvuJ10b5g2Jg+UmVjPmd6kD7NIgM8+rW0vpoS4b1kToI+jbbQvY/ZhD0A"
        + "oEy+rqpIPlp93j7l77y+ekK/vhj96rxjShk/OsYHP9LVnj7sDG4+9esRvkfbEr4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAMAAAAAAAAAAACAPwAAAAAIAAAATjy8Pbwycz+3DdA+XNhlP0HxUz/V"
        + "sHM/4MRJPwhQcT8EAAAAAAAAAAAAAAAAAIA/AACAPwAAAAAAAAAAAgAAAAIAAAAAAAAAAAAAAAAA4D9g6gAAAAAAAAEDAAAAAAAAAAAAgD8AAIA/CAAAAFxk"
        + "uT6A9n4/aA3DPoeUdT90CDk+iK5xP28xRz4Pvm4/BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMAAAAAAAAAAAAAAAAA4D/A1AEAAAAAAAEDAAAAAAAA"
        + "AAAAgD8AAAAACAAAAJxJiz7AKH4/pW55PBgbVj91tEQ/Ow1/P+bNLD8NoA8/BAAAAAAAAAAAAAAAAACAPwAAgD8AAAAAAAAAAJstTe8=";

    /// <summary>The same with the positions of every list, from the top.</summary>
    private const string Golden2 =
        "AgMAAAACAAAAAgAAAAIAAADKMm3GWUPKxQMAAAAAAAAAAwAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAADA//HUCr7bt6A+p9bWPvd1mr2+xrY+GKFvPSAxrL6ZdPg+"
        + "iO77vZNb9L6Sf9K+9n2ZPtM1ZD5wGJE+X48DPMwvtb4s0uC9Vq+BPuGrz70scoU9THBMvtc0ST7PH98+EZ+9vp5fv7748eu8MaIZP2daBz84RZ8+YSRvPku8Eb7Y"
        + "GRO+yp0KvtYioD60itc+C7mZvVehtz7rgXA9dl6svtc3+T7nzPq9IznzvuJ10b5g2Jg+UmVjPmd6kD7NIgM8+rW0vpoS4b1kToI+jbbQvY/ZhD0AoEy+rqpIPlp9"
        + "3j7l77y+ekK/vhj96rxjShk/OsYHP9LVnj7sDG4+9esRvkfbEr4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAMAAAAAAAAAAACAPwAAAAAIAAAATjy8Pbwycz+3DdA+XNhlP0HxUz/VsHM/4MRJPwhQcT8EAAAAAAAAAAAA"
        + "AAAAAIA/AACAPwAAAAAAAAAAAAAAAAEAAAACAAAAAwAAAAIAAAACAAAAAAAAAAAAAAAAAOA/YOoAAAAAAAABAwAAAAAAAAAAAIA/AACAPwgAAABcZLk+gPZ+P2gN"
        + "wz6HlHU/dAg5PoiucT9vMUc+D75uPwQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAIAAAADAAAAAwAAAAAAAAAAAAAAAADgP8DUAQAAAAAAAQMA"
        + "AAAAAAAAAACAPwAAAAAIAAAAnEmLPsAofj+lbnk8GBtWP3W0RD87DX8/5s0sPw2gDz8EAAAAAAAAAAAAAAAAAIA/AACAPwAAAAAAAAAAAAAAAAEAAAACAAAAAwAA"
        + "APFfWyI=";

    private static DrnAgent New(DrnSettings settings) => new(settings, StateLength, ActionLength, 7);

    private static float Play(DrnAgent agent, int from, int to)
    {
        float clicks = 0;
        for (var n = from; n < to; n++)
        {
            var list = Choose(agent, n);
            float[] rewards = [.. Enumerable.Range(0, list.Items.Length).Select(k => list.Actions[k * ActionLength] > 0.5f ? 1f : 0f)];
            clicks += rewards.Sum();
            agent.Answer(list, rewards);
        }
        return clicks;
    }

    private static DrnList Choose(DrnAgent agent, int n, ulong? user = null)
    {
        var actions = new float[Items * ActionLength];
        for (var i = 0; i < actions.Length; i++) actions[i] = (float)StableHash.Unit(StableHash.Combine((ulong)n, (ulong)i));
        return agent.Choose(user ?? 1 + (ulong)(n % 7), n * 60_000L, [0, 1, n % 2], actions, Slots);
    }

    private static byte[] Saved(DrnAgent agent)
    {
        var into = new MemoryStream();
        agent.Save(into);
        return into.ToArray();
    }
}
