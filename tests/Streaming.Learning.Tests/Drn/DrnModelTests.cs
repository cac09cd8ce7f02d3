using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Learning.Deep;
using Streaming.Learning.Drn;
using Streaming.Models.Deep;
using static Streaming.Learning.Tests.Drn.DrnExamples;

namespace Streaming.Learning.Tests.Drn;

/// <summary>DRN fed from the log: lists put together from examples, their duels, what comes next, and what its copies know.</summary>
public sealed class DrnModelTests
{
    private static readonly Team[] Abba = [Team.A, Team.B, Team.B, Team.A];
    private static readonly bool[] None = [false, false, false, false], BWins = [false, true, true, false], AWins = [true, false, false, false];

    [Fact]
    public void A_list_is_learned_once_its_outcome_is_known()
    {
        var model = New();
        var slots = List("ann", 3, Abba, BWins, StartMs).ToArray();

        Learn(model, slots[..2]);
        (model.OpenLists, model.Agent.ListsAnswered).ShouldBe((1, 0));
        Learn(model, slots[2..]);
        // The window has ended, but its other negatives may still come: not before the slack is over.
        Learn(model, Slot("bob", 1, 0, Team.A, false, StartMs + 200));
        model.Agent.ListsAnswered.ShouldBe(0);
        Learn(model, Slot("bob", 1, 1, Team.A, false, StartMs + 201));

        (model.OpenLists, model.Agent.ListsAnswered, model.Agent.MinorUpdates).ShouldBe((1, 1, 1));
    }

    [Fact]
    public void Each_partition_has_its_own_clock()
    {
        var model = New();
        Learn(model, List("ann", 3, Abba, BWins, StartMs));
        Learn(model, List("bob", 1, Abba, None, StartMs + 60_000, partition: 1));
        model.Agent.ListsAnswered.ShouldBe(0);
        Learn(model, List("cid", 1, Abba, None, StartMs + 60_000));
        model.Agent.ListsAnswered.ShouldBe(1);
    }

    [Fact]
    public void A_won_duel_moves_the_weights_toward_the_very_perturbation_of_the_list()
    {
        var model = New(Small with { MajorEveryLists = 1_000_000 });
        var before = model.Agent.Weights.ToArray();
        var perturbed = new float[before.Length];
        model.Agent.Perturb(perturbed, model.DrawOf(StableHash.Of("ann"), 3));

        Learn(model, List("ann", 3, Abba, BWins, StartMs));
        Learn(model, List("ann", 4, Abba, AWins, StartMs + 5000));

        for (var i = 0; i < before.Length; i++)
            model.Agent.Weights[i].ShouldBe(before[i] + (float)Small.MinorRate * (perturbed[i] - before[i]), 1e-6f);
        // A list that the current network wins changes nothing; nor does one that the live ranker made, whose teams are not the network's.
        var after = model.Agent.Weights.ToArray();
        Learn(model, List("ann", 5, Abba, BWins, StartMs + 10_000, models: "ftrl:1 mf:1 drn:0 drn:0"));
        Learn(model, List("ann", 6, Abba, None, StartMs + 20_000));
        model.Agent.Weights.ToArray().ShouldBe(after);
        (model.Agent.MinorUpdates, model.Agent.ListsAnswered).ShouldBe((1, 3));
    }

    [Fact]
    public void Only_its_own_arms_examples_with_features_count()
    {
        var model = New();
        model.Learns(Slot("ann", 1, 0, Team.A, true, StartMs)).ShouldBeTrue();
        model.Learns(Slot("ann", 0, 0, Team.A, true, StartMs)).ShouldBeFalse();
        var other = new Core.Examples.Example { Source = default, Ordinal = 0, User = "ann", ItemKey = 1, ShownMs = 1, LabelMs = 1, Label = 1, Arm = "din", ListVersion = 3, Features = [], Values = [] };
        model.Learns(other).ShouldBeFalse();
        Learn(model, other);
        model.OpenLists.ShouldBe(0);
    }

    [Fact]
    public void A_slot_shown_twice_stays_one_and_what_comes_too_late_is_counted()
    {
        var model = New();
        Learn(model, [.. List("ann", 3, Abba, None, StartMs), Slot("ann", 3, 1, Team.B, true, StartMs + 900)]);
        Learn(model, List("bob", 1, Abba, None, StartMs + 5000));
        // The second showing's click made B win.
        (model.Agent.ListsAnswered, model.Agent.MinorUpdates).ShouldBe((1, 1));
        Learn(model, Slot("ann", 3, 2, Team.B, true, StartMs));
        (model.OpenLists, model.LateExamples).ShouldBe((1, 1));
    }

    [Fact]
    public void Planted_preferences_are_learned_and_open_lists_are_bounded()
    {
        var model = New(Small with { LearningRate = 0.01, ReplayListsMax = 100, BatchLists = 16 });
        // Position 1 is always clicked, whatever stands there; nothing else is.
        for (var n = 0; n < 400; n++) Learn(model, List($"u{n % 9}", 1 + n / 9, Abba, [false, true, false, false], StartMs + n * 300));
        model.IsWarm.ShouldBeTrue();
        var batch = new ExampleBatch(0);
        foreach (var slot in List("zoe", 1, Abba, None, StartMs).OrderBy(e => e.Position)) batch.Add(slot);
        var q = new float[4];
        model.Predict(batch, q);
        q[1].ShouldBeGreaterThan(q[0] + 0.3f);
        q[1].ShouldBeGreaterThan(q[3] + 0.3f);

        var crowded = New(Small with { OpenListsMax = 5 });
        Learn(crowded, Enumerable.Range(0, 20).SelectMany(u => List($"u{u}", 1, Abba, None, StartMs)));
        (crowded.OpenLists, crowded.Agent.ListsAnswered).ShouldBe((5, 15));
    }

    [Fact]
    public void Resumes_bit_exact_at_any_step()
    {
        var examples = Stream(60).ToArray();
        var whole = New();
        foreach (var example in examples) Learn(whole, example);
        whole.Agent.MajorUpdates.ShouldBeGreaterThan(20);
        for (var cut = 1; cut < examples.Length; cut += 37)
        {
            var first = New();
            foreach (var example in examples[..cut]) Learn(first, example);
            var resumed = New(seed: 7);
            resumed.Load(new MemoryStream(Saved(first)));
            foreach (var example in examples[cut..]) Learn(resumed, example);
            Saved(resumed).ShouldBe(Saved(whole), $"cut at {cut}");
        }
    }

    [Fact]
    public void A_copy_of_another_seed_knows_the_networks_of_every_list()
    {
        var model = New();
        foreach (var example in Stream(30)) Learn(model, example);
        using var copy = New(seed: 99);
        copy.IsWarm.ShouldBeFalse();

        var chunks = WeightsCodec.Delta(model.Weights, dense: true, 1 << 16);
        WeightsCodec.Check(copy.Weights, chunks).ShouldBeTrue();
        WeightsCodec.Apply(copy.Weights, UpdateKind.Delta, chunks);

        copy.Agent.Weights.ToArray().ShouldBe(model.Agent.Weights.ToArray());
        copy.IsWarm.ShouldBeTrue();
        copy.DrawOf(12, 34).ShouldBe(model.DrawOf(12, 34));
        copy.DrawOf(12, 35).ShouldNotBe(copy.DrawOf(12, 34));
        var (a, b) = (new float[model.Agent.Network.Length], new float[model.Agent.Network.Length]);
        model.Agent.Perturb(a, model.DrawOf(12, 34));
        copy.Agent.Perturb(b, copy.DrawOf(12, 34));
        b.ShouldBe(a);
    }

    [Fact]
    public void A_broken_checkpoint_is_refused_and_changes_nothing()
    {
        var model = New();
        foreach (var example in Stream(5)) Learn(model, example);
        var bytes = Saved(model);
        for (var length = 0; length < bytes.Length; length += 61)
            Should.Throw<InvalidDataException>(() => model.Load(new MemoryStream(bytes, 0, length)), $"cut at {length}");
        for (var at = 0; at < bytes.Length; at += 13)
        {
            var torn = bytes.ToArray();
            torn[at] ^= (byte)(1 << (at % 8));
            Should.Throw<InvalidDataException>(() => model.Load(new MemoryStream(torn)), $"byte {at}");
        }
        Saved(model).ShouldBe(bytes);
    }

    [Fact]
    public void Version_1_of_the_checkpoint()
    {
        var model = New(Small with { Hidden1 = 1, Hidden2 = 1 });
        var bytes = Convert.FromBase64String(Golden);

        model.Load(new MemoryStream(bytes));

        Saved(model).ShouldBe(bytes);
        (model.OpenLists, model.Agent.ListsAnswered).ShouldBe((1, 1));
    }

    /// <summary>Written when version 1 came to be; must stay readable and be written back byte for byte.</summary>
    private const string Golden =
        "Ab/PGnW8t6J2AAAAAAAAAAACAAAAAAAAAAAAAAAAAAAAAQAAAAAAAACstdp2mwEAAAEAAACH+f1Xtr8upQEAAAAAAAAAAQAAAAAAAAC4s9p2mwEAAAAAAAABXmeQ"
        + "PjBwUL448Hc+GwunvpDqJ75JINS+Pl6IvkKiuD5ww08+Qt4yvnQifT5ivoo+AHqOOgyVUz4BAAAAAAAAAGQAAAAAAAAAAgAAgD9wxig+NC+dPufo8760cOm96TTr"
        + "vtgJ8z6q0tw+So7evhRLez4Pm+++EI/lPaCArD3gqJW+WNXHPbwl8D4QUvM+7p/Fvi4XqD5OnPU+FN4jvgCXor7E9N0+Uv+8PkbZwD74qgovAg4AAAAYAAAAAQAA"
        + "AAEAAADKMm3GWUPKxQAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAADA/+gSgL1TtRQ+EThHPvkdDr21WSo+qUTePFNaIL5/Gmc+f5k9vRh9N74yoh2+"
        + "0Pc2PhEPCD7gWyw+oaycOxJpSr+iDny+cZO9PeF0F73H2r88j7eTvTHskD3SSiE+nWStvf7Xr70M29e7AikMPkbR+T2+XZE9ztZZPcBnBr0eeQa988rEPC7BCr3s"
        + "zJA9oVURPR2w+j1QVUS9/HDVPMw6Ez45tBg9RiqIPfwqDT5ejPe9ke0kvqVoFzyUTE+8gZARvm124L3H4Pm9V8lkPdbKcj0AtAs+MS8jvguTpL3z8E09BImQPr+r"
        + "Or0K65U9DOKivnVVgL3YQRQ+jo1HPtZRDr0xAio+q6rePCqVH74su2Y+WJY9vQXcN75VVh6+Wq82Ph3lBz41ryw+ybycO3YKSr+Po3u+cRG9PZlqF71CwsA8WXOU"
        + "vTWUkT01aSE+bGGtvQ2Dr73vo9e7SKsMPq0w+T3ZwZE9OXNaPS3oBb3Lwwa9PKHEPP5ECr2sBJE9jkARPZNl+z0NgkO9IhPVPFscEz5eZxg9YKSHPWuEDT6cvPi9"
        + "u1EkvlnwFzxOik68REYRvhWP372RAPq9vuplPcqscT1UDQs+AqQivhrfo70M0009W+CPPhkwOr3w85U9q2uivgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAABAAAA7r5DFI+RsagAAAAAAADgPwCo2nabAQAAAQ4AAAAAAAAAwOUQPuCodz0IZqo+zqCHPvAnvj5YlYu+ommsvgxv+r2CNkS+MD3QvCDtJz7A7ww+QFp2PTAA"
        + "AADkWmQ+sMxCPjDHWr1wuoe+9EFjPvjgAz50kE0+8lYTvhAfnz6wdOU9sNSpPqBo5D7A+4s+D0mzvryfpb1UqbC9Vva7Pmx+tb3MIk++4AvSPZT9Dj7uvpG+BpP0"
        + "vsDMpj5I+2C+YFNEPf6saL5QEe8+1Ek1Pm5d+L6ausY+qFWjPuabnD4CzkK+2kDOvrBCRr1m1P0+EGIlPnww3r6A9g0+pBLavZQ/876AkZy7fmesvpCL2rxELLA+"
        + "LDPoPnQdVT4CAAAAAAAAAAAAgD8AAAAAAAAAAAAAAAABAAAAtq0kkg==";

    /// <summary>A few users who come back, with lists that both sides win.</summary>
    private static IEnumerable<Core.Examples.Example> Stream(int lists)
    {
        var random = new Random(5);
        for (var n = 0; n < lists; n++)
            foreach (var example in List($"u{n % 7}", 1 + n / 7, Abba, [.. Enumerable.Range(0, 4).Select(_ => random.Next(3) == 0)], StartMs + n * 400))
                yield return example;
    }
}
