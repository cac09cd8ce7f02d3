using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Wire;
using Streaming.Models.Deep;
using Streaming.Models.Ranking;
using Streaming.Models.Reranking;
using Streaming.Suites;

namespace Streaming.Models.Tests.Reranking;

public sealed class PrmModelSuiteTests : DeepModelSuite
{
    protected override IDeepModel Create(long seed) => PrmModelTests.Create(seed, HistoryMax);
}

/// <summary>What PRM adds to its base ranker in the live path: lists put together from examples, learned, and candidates ordered as a list.</summary>
public sealed class PrmModelTests
{
    private const long NowMs = 1_700_000_000_000, WindowMs = 1_000;
    private const int Slots = 6;

    private static RankerOptions Options(long seed) => new() { Dim = 8, Hidden = [16, 8], Rate = 5e-3f, TableRate = 2e-2f, InitScale = 0.1f, Seed = (ulong)seed };

    internal static PrmModel Create(long seed, int historyMax = 4) =>
        new(Options(seed), itemsMax: 10, WindowMs, historyMax, [], new ItemCatalog(), TestDevice.Torch);

    private static ulong Key(int item) => StableHash.Of($"i{item}");

    /// <summary>A list of a user: of the items shown, those of the lower half by number are acted on where item 0 is among them, else those of the upper half.</summary>
    private static IEnumerable<Example> List(int n)
    {
        var random = new Random(n);
        var items = Enumerable.Range(1, 20).ToArray();
        random.Shuffle(items);
        if (n % 2 == 0) items[random.Next(Slots)] = 0;
        items = items[..Slots];
        for (var slot = 0; slot < Slots; slot++)
            yield return new Example
            {
                Source = new(0, n), Ordinal = slot, User = $"u{n % 7}", ItemKey = Key(items[slot]), ShownMs = NowMs + n * 2_000L, LabelMs = NowMs + n * 2_000L + WindowMs,
                Label = items[slot] != 0 && items[slot] <= 10 == items.Contains(0) ? 1 : 0, ListVersion = n + 1, Position = slot, Features = [], Values = [],
            };
    }

    private static void Learn(IDeepModel model, params IEnumerable<Example> examples)
    {
        var batch = new ExampleBatch(4);
        foreach (var example in examples) batch.Add(example);
        float.IsFinite(model.Learn(batch)).ShouldBeTrue();
    }

    [TorchFact]
    public void A_list_is_learned_once_its_outcome_is_known_and_a_state_with_open_lists_goes_on_the_same()
    {
        using var model = Create(1);
        Learn(model, List(1).Take(3));
        (model.OpenLists, model.ListsLearned).ShouldBe((1, 0L));
        Learn(model, List(1).Skip(3));
        var file = new MemoryStream();
        model.Save(file);
        using var other = Create(1);
        file.Position = 0;
        other.Load(file);
        foreach (var one in (PrmModel[])[model, other])
        {
            Learn(one, List(2));
            (one.OpenLists, one.ListsLearned).ShouldBe((1, 1L));
            // What comes after its list has left is learned by the base alone.
            Learn(one, List(1).Take(1));
            (one.OpenLists, one.ListsLearned).ShouldBe((1, 1L));
        }
        var (a, b) = (new MemoryStream(), new MemoryStream());
        model.Save(a);
        other.Save(b);
        b.ToArray().ShouldBe(a.ToArray());
        model.Forget(StableHash.Of("u2"));
        model.OpenLists.ShouldBe(0);
    }

    [TorchFact]
    public void What_hangs_on_the_other_items_is_learned_online_and_the_rest_stays_behind()
    {
        using var model = Create(1);
        for (var n = 0; n < 1600; n += 8) Learn(model, [.. Enumerable.Range(n, 8).SelectMany(List)]);
        using var candidates = model.NewCandidates();
        using var alone = new Counted();
        var (right, all) = (0, 0);
        for (var n = 5000; n < 5100; n++)
        {
            var list = List(n).ToArray();
            var scores = new float[Slots];
            candidates.Score(StableHash.Of(list[0].User), [], 0, StableHash.Of(""), list[0].ShownMs, [.. list.Select(e => e.ItemKey)], [], scores);
            scores.ShouldAllBe(s => s > 0 && s < 1);
            foreach (var good in Enumerable.Range(0, Slots).Where(i => list[i].Label > 0))
            foreach (var bad in Enumerable.Range(0, Slots).Where(i => list[i].Label == 0)) (right, all) = (right + (scores[good] > scores[bad] ? 1 : 0), all + 1);
        }
        model.Record.Lists.ShouldBeGreaterThan(500);
        model.Record.Head.ShouldBeGreaterThan(model.Record.Given, "judged before it learned each");
        model.Record.IsWorse.ShouldBeFalse();
        // No ranker of single items can know: each is right in one half of the lists and wrong in the other.
        ((double)right / all).ShouldBeGreaterThan(0.75);
    }

    [TorchFact]
    public void Candidates_beyond_the_list_keep_their_order_behind_it_and_nothing_learned_keeps_all_of_it()
    {
        using var model = Create(3);
        var batch = new ExampleBatch(4);
        for (var i = 0; i < 30; i++) batch.Add(StableHash.Of("u1"), Key(i), [], 0, NowMs, StableHash.Of(""), label: i % 3 == 0 ? 1 : 0);
        for (var step = 0; step < 20; step++) model.Learn(batch);
        var before = new float[30];
        model.Predict(batch, before);
        int[] Order(float[] scores) => [.. Enumerable.Range(0, 30).OrderByDescending(i => scores[i])];
        float[] Scores()
        {
            using var candidates = model.NewCandidates();
            var scores = new float[30];
            candidates.Score(StableHash.Of("u1"), [], 0, StableHash.Of(""), NowMs, [.. Enumerable.Range(0, 30).Select(Key)], [], scores);
            return scores;
        }
        Order(Scores()).ShouldBe(Order(before));
        for (var n = 0; n < 40; n++) Learn(model, List(n));
        model.Predict(batch, before);
        var after = Order(Scores());
        after[..10].Order().ShouldBe(Order(before)[..10].Order());
        after[10..].ShouldBe(Order(before)[10..]);
        Scores().ShouldAllBe(s => s > 0 && s < 1);
    }

    [TorchFact]
    public void A_head_that_has_been_worse_than_its_base_is_not_served_until_it_is_better_again()
    {
        using var model = Create(1);
        for (var n = 0; n < 400; n += 8) Learn(model, [.. Enumerable.Range(n, 8).SelectMany(List)]);
        var batch = new ExampleBatch(4);
        for (var i = 0; i < 30; i++) batch.Add(StableHash.Of("u1"), Key(i), [], 0, NowMs, StableHash.Of(""), label: 0);
        var alone = new float[30];
        model.Predict(batch, alone);
        using var candidates = model.NewCandidates();
        float[] Scores()
        {
            candidates.Refresh();
            var scores = new float[30];
            candidates.Score(StableHash.Of("u1"), [], 0, StableHash.Of(""), NowMs, [.. Enumerable.Range(0, 30).Select(Key)], [], scores);
            return scores;
        }
        var head = Scores();
        for (var list = 0; list < 2000; list++) model.Record.Add(0.6, 0.5 + 0.05 * (list % 2));
        model.Record.IsWorse.ShouldBeTrue();
        var served = Scores();
        for (var i = 0; i < 30; i++) served[i].ShouldBe(alone[i], 1e-5f);
        // The record is part of what copies take over, and of the state.
        using var other = Create(1);
        var file = new MemoryStream();
        model.Save(file);
        file.Position = 0;
        other.Load(file);
        other.Record.IsWorse.ShouldBeTrue();
        model.Weights.Dense[^1].Length.ShouldBe(4);
        for (var list = 0; list < 3000; list++) model.Record.Add(0.5, 0.6);
        Scores().ShouldBe(head);
    }

    /// <summary>A golden file would be of hundreds of kilobytes: this one is made of version 2 by leaving out what was added.</summary>
    [TorchFact]
    public void Version_1_of_prm_had_no_record_of_its_head()
    {
        using var model = Create(2);
        for (var list = 0; list < 100; list++) model.Record.Add(1, 0);
        var file = new MemoryStream();
        model.Save(file);
        using var alone = new RankerModel(PrmModel.BaseName, Options(2), 4, 0, new ItemCatalog(), TestDevice.Torch);
        var under = new MemoryStream();
        alone.Save(under);
        const int head = 1 + 3 * 4 + 8, record = 4 * 4, crc = 4;
        var first = file.ToArray().AsSpan(0, (int)(file.Length - under.Length));
        first[0].ShouldBe((byte)2);
        var before = new MemoryStream();
        var writer = new CheckpointWriter(before, 1);
        writer.Values<byte>(first[1..head]);
        writer.Values<byte>(first[(head + record)..^crc]);
        writer.Finish();
        before.Write(under.ToArray());
        before.Position = 0;
        using var other = Create(1);
        for (var list = 0; list < 100; list++) other.Record.Add(1, 0);
        other.Load(before);
        other.Record.Lists.ShouldBe(0);
        other.Weights.Dense.Sum(d => d.Length).ShouldBe(model.Weights.Dense.Sum(d => d.Length));
    }

    [Fact]
    public void A_record_says_nothing_of_few_lists_and_of_chance()
    {
        var record = new HeadRecord();
        for (var list = 0; list < 40; list++) record.Add(1, 0);
        record.IsWorse.ShouldBeFalse();
        record = new HeadRecord();
        for (var list = 0; list < 500; list++) record.Add(0.5, list % 2 == 0 ? 0.9 : 0.09);
        record.IsWorse.ShouldBeFalse("the mean difference is within its error");
        record.Given.ShouldBe(0.5, 0.001);
        record.Head.ShouldBe(0.495, 0.01);
    }

    private sealed class Counted : IDisposable
    {
        private readonly TorchSharp.DisposeScope _scope = TorchSharp.torch.NewDisposeScope();

        public void Dispose()
        {
            _scope.DisposablesCount.ShouldBe(0, "scoring leaves no tensor behind");
            _scope.Dispose();
        }
    }
}
