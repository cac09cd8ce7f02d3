using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
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

    internal static PrmModel Create(long seed, int historyMax = 4) => new(
        new RankerOptions { Dim = 8, Hidden = [16, 8], Rate = 5e-3f, TableRate = 2e-2f, InitScale = 0.1f, Seed = (ulong)seed }, itemsMax: 10, WindowMs, historyMax, [],
        new ItemCatalog(), TestDevice.Torch);

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
