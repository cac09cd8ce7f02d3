using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Models.Deep;
using Streaming.Models.Layers;
using Streaming.Models.Ranking;
using Streaming.Models.Ranking.MultiTask;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests.Ranking;

public abstract class RankerSuite(string name) : DeepModelSuite
{
    protected override IDeepModel Create(long seed) => RankerModelTests.Create(name, (ulong)seed, new ItemCatalog());
}

/// <summary>With goals beside the label, which the contract's rows do not tell.</summary>
public abstract class GoalsSuite(string name) : DeepModelSuite
{
    protected override IDeepModel Create(long seed) =>
        RankerModelTests.Create(name, (ulong)seed, new ItemCatalog(), goals: [EventKind.Like, EventKind.Purchase], hidden: [32, 16]);
}

public sealed class LogisticRegressionSuiteTests() : RankerSuite("lr")
{
    protected override bool DrawsFirstWeights => false;
}

public sealed class FactorisationMachineSuiteTests() : RankerSuite("fm");
public sealed class FieldAwareMachineSuiteTests() : RankerSuite("ffm");
public sealed class FwfmSuiteTests() : RankerSuite("fwfm");
public sealed class InnerPnnSuiteTests() : RankerSuite("ipnn");
public sealed class OuterPnnSuiteTests() : RankerSuite("opnn");
public sealed class WideAndDeepSuiteTests() : RankerSuite("wide_deep");
public sealed class DeepFmSuiteTests() : RankerSuite("deepfm");
public sealed class NfmSuiteTests() : RankerSuite("nfm");
public sealed class AfmSuiteTests() : RankerSuite("afm");
public sealed class AutoIntSuiteTests() : RankerSuite("autoint");
public sealed class DcnV2SuiteTests() : RankerSuite("dcn_v2");
public sealed class MeanPoolingSuiteTests() : RankerSuite("mean_pooling");
public sealed class DinSoftmaxSuiteTests() : RankerSuite("din_softmax");
public sealed class DienSuiteTests() : RankerSuite("dien");
public sealed class SharedBottomSuiteTests() : RankerSuite("shared_bottom");

public sealed class EsmmSuiteTests : DeepModelSuite
{
    // A plain MLP on the contract's data, which have no second task: it needs more columns there than networks with parts of their own for products.
    protected override IDeepModel Create(long seed) => RankerModelTests.Create("esmm", (ulong)seed, new ItemCatalog(), hidden: [32, 16]);
}

public sealed class MmoeSuiteTests() : RankerSuite("mmoe");
public sealed class PleSuiteTests() : RankerSuite("ple");
public sealed class SharedBottomGoalsSuiteTests() : GoalsSuite("shared_bottom");
public sealed class EsmmGoalsSuiteTests() : GoalsSuite("esmm");
public sealed class MmoeGoalsSuiteTests() : GoalsSuite("mmoe");
public sealed class PleGoalsSuiteTests() : GoalsSuite("ple");

public abstract class PairRankerSuite(string name) : RankerSuite(name)
{
    protected override bool ReadsHistory => false;
}

public sealed class GmfSuiteTests() : PairRankerSuite("gmf");

public sealed class NcfMlpSuiteTests() : PairRankerSuite("ncf_mlp")
{
    // As ESMM above: a plain MLP has to find out what a product would give it.
    protected override IDeepModel Create(long seed) => RankerModelTests.Create("ncf_mlp", (ulong)seed, new ItemCatalog(), hidden: [64, 32]);
}

public sealed class NeuMfSuiteTests() : PairRankerSuite("neumf");

/// <summary>What the live path adds to the networks: the rows of examples, and candidates that share a user.</summary>
public sealed class RankerModelTests
{
    private const int HistoryMax = 6;
    private const long NowMs = 1_700_000_000_000;

    internal static RankerModel Create(string name, ulong seed, IItemCatalog catalog, int dense = 0, IReadOnlyList<EventKind>? goals = null, int[]? hidden = null) => new(
        name, new RankerOptions { Dim = 8, Hidden = hidden ?? [16, 8], Rate = 5e-3f, TableRate = 2e-2f, InitScale = 0.1f, Seed = seed }, HistoryMax, dense, catalog, TestDevice.Torch, goals);

    [Fact]
    public void Settings_know_every_live_ranker() => Rankers.Live.ShouldBe(DeepSettings.Known.Skip(4).Except(FeedChannels.Retrieval));

    /// <summary>
    /// Items of number 0 mod 4 are acted on, and of those that were, items 0 mod 8 are liked, items 4 mod 8 bought. Labels come as from the join: the action at once, its
    /// goal in a record that follows, the other goal at the end of the window in another.
    /// </summary>
    private static IEnumerable<Example> Planted(int seed, int impressions)
    {
        var random = new Random(seed);
        var (like, purchase) = (Goals.Bit(EventKind.Like), Goals.Bit(EventKind.Purchase));
        for (var n = 0; n < impressions; n++)
        {
            var item = random.Next(16);
            Example Record(float label, ushort known, ushort met, bool follows) => new()
            {
                Source = new(0, n), Ordinal = follows ? 1 : 0, User = $"u{random.Next(9)}", ItemKey = StableHash.Of($"i{item}"), ShownMs = NowMs + n, LabelMs = NowMs + n,
                Label = label, Features = [], Values = [], GoalsKnown = known, GoalsMet = met, IsFollowUp = follows,
            };
            if (item % 4 != 0)
            {
                yield return Record(0, (ushort)(like | purchase), 0, false);
                continue;
            }
            var met = item % 8 == 0 ? like : purchase;
            yield return Record(1, 0, 0, false);
            yield return Record(1, met, met, true);
            yield return Record(1, (ushort)(met ^ like ^ purchase), 0, true);
        }
    }

    [TorchFact]
    public void Goals_are_learned_from_the_records_that_label_them_and_from_no_others()
    {
        foreach (var ranker in Rankers.All.Where(r => r.IsMultiTask))
        {
            using var model = Create(ranker.Name, 3, new ItemCatalog(), goals: [EventKind.Like, EventKind.Purchase], hidden: [32, 16]);
            var batch = new ExampleBatch(HistoryMax);
            foreach (var example in Planted(1, 6000))
            {
                model.Learns(example).ShouldBeTrue();
                batch.Add(example);
                if (batch.Count < 32) continue;
                float.IsFinite(model.Learn(batch)).ShouldBeTrue();
                batch.Clear();
            }
            using var candidates = model.NewCandidates();
            candidates.Tasks.ShouldBe(3);
            var items = Enumerable.Range(0, 16).Select(i => StableHash.Of($"i{i}")).ToArray();
            var found = new float[16 * 3];
            candidates.Score(StableHash.Of("u1"), [], 0, StableHash.Of(""), NowMs, items, [], found);
            for (var i = 0; i < 16; i++)
            {
                var (any, like, purchase) = (found[3 * i], found[3 * i + 1], found[3 * i + 2]);
                (any > 0.5f, like > 0.5f, purchase > 0.5f).ShouldBe((i % 4 == 0, i % 8 == 0, i % 8 == 4), $"{ranker.Name}, item {i}: {any} {like} {purchase}");
            }
            // The first task is what a model of one goal tells.
            var rows = new ExampleBatch(HistoryMax);
            foreach (var item in items) rows.Add(StableHash.Of("u1"), item, [], 0, NowMs, StableHash.Of(""));
            var first = new float[16];
            model.Predict(rows, first);
            for (var i = 0; i < 16; i++) first[i].ShouldBe(found[3 * i], 1e-5f);
        }
    }

    /// <summary>Live mini-batches come in the order of the log, the rows of one list, and so of one user, beside each other.</summary>
    [TorchFact]
    public void The_next_step_of_DIEN_is_told_from_another_users_and_never_from_itself()
    {
        const int Steps = 3;
        float Extra(params int[] users)
        {
            using var scope = torch.NewDisposeScope();
            var shape = new RankerShape(1) { SequenceMax = Steps };
            var network = new Dien(shape, new RankerOptions { Dim = 4, Hidden = [4] });
            foreach (var parameter in network.Parameters) parameter.Begin(torch.CPU, learning: true);
            var steps = torch.cat([.. users.Select(user => torch.full([1, Steps, 4], 0.1f * user))], 0);
            var x = new RankerInput(shape, users.Length, null, torch.ones(users.Length, 1, 4), steps, torch.ones(users.Length, Steps));
            network.Logits(x, learning: true);
            return x.ExtraLoss!.item<float>();
        }
        Extra(1).ShouldBe(0);
        Extra(1, 1, 1, 1).ShouldBe(0);
        // One softplus for the own step, one for the other's; about ln 2 each, and half of that counts.
        Extra(1, 1, 2, 2).ShouldBe(MathF.Log(2), 0.05f);
    }

    [TorchFact]
    public void A_position_changes_the_click_of_ESMM_and_not_what_comes_of_it()
    {
        using var scope = torch.NewDisposeScope();
        var (logits, added) = (torch.zeros(2, 3), torch.ones(2, 1));
        float[] Of(IRankerNetwork network)
        {
            var values = new float[6];
            TensorMemory.Read(network.AtPosition(logits, added), values);
            return values;
        }
        var shape = new RankerShape(1) { Tasks = 3 };
        Of(new Esmm(shape, new RankerOptions())).ShouldBe([1, 0, 0, 1, 0, 0]);
        Of(new SharedBottom(shape, new RankerOptions())).ShouldBe([1, 1, 1, 1, 1, 1]);
    }

    [TorchFact]
    public void What_is_not_labelled_moves_nothing_and_a_file_of_other_goals_is_refused()
    {
        using var model = Create("shared_bottom", 3, new ItemCatalog(), goals: [EventKind.Like, EventKind.Purchase]);
        var batch = new ExampleBatch(HistoryMax);
        foreach (var example in Planted(1, 20)) batch.Add(example);
        // Towers of goals that no record labels stay as they were.
        var unlabelled = new ExampleBatch(HistoryMax);
        for (var row = 0; row < batch.Count; row++) unlabelled.Add(batch.Users[row], batch.Items[row], [], 0, NowMs, 0, label: batch.Labels[row]);
        float[] Tower(int task) => [.. model.Weights.Dense.Where(d => d.Name.StartsWith($"tower.{task}.", StringComparison.Ordinal)).SelectMany(Values)];
        var (own, other) = (Tower(0), Tower(1));
        model.Learn(unlabelled);
        Tower(0).ShouldNotBe(own);
        Tower(1).ShouldBe(other);
        model.Learn(batch);
        Tower(1).ShouldNotBe(other);

        var file = new MemoryStream();
        model.Save(file);
        using var swapped = Create("shared_bottom", 3, new ItemCatalog(), goals: [EventKind.Purchase, EventKind.Like]);
        file.Position = 0;
        Should.Throw<InvalidDataException>(() => swapped.Load(file));
        using var same = Create("shared_bottom", 3, new ItemCatalog(), goals: [EventKind.Like, EventKind.Purchase]);
        file.Position = 0;
        same.Load(file);
        // A ranker of one task takes no notice of goals, nor of what follows a label.
        using var single = Create("fm", 3, new ItemCatalog(), goals: [EventKind.Like]);
        single.Goals.ShouldBeEmpty();
        single.Learns(Planted(1, 200).First(e => e.IsFollowUp)).ShouldBeFalse();
        single.Learns(Planted(1, 200).First(e => !e.IsFollowUp)).ShouldBeTrue();

        static float[] Values(IDenseWeights dense)
        {
            var values = new float[dense.Length];
            dense.CopyTo(values);
            return values;
        }
    }

    [TorchFact]
    public void Candidates_of_a_user_are_scored_as_their_rows_are_predicted()
    {
        var catalog = new ItemCatalog();
        for (var i = 0; i < 20; i += 2)
            catalog.Apply(new ItemChange($"i{i}", new Item($"i{i}") { Categories = [$"c{i % 3}"], Author = $"a{i % 4}", Tags = ["t"] }, 0));
        ulong[] Items(params int[] numbers) => [.. numbers.Select(n => StableHash.Of($"i{n}"))];
        foreach (var name in Rankers.Live)
        {
            using var model = Create(name, 5, catalog, dense: 1);
            var batch = new ExampleBatch(HistoryMax, 0u);
            for (var row = 0; row < 12; row++)
                batch.Add(StableHash.Of($"u{row % 3}"), Items(row)[0], Items(row + 1, row + 2, row + 3).AsSpan(0, row % 4), row % 3, NowMs + row, StableHash.Of("home"), row, row % 2, dense: [row / 6f]);
            for (var step = 0; step < 3; step++) model.Learn(batch);
            using var candidates = model.NewCandidates();
            foreach (var history in (ulong[][])[Items(1, 2, 3, 4), []])
            {
                var (items, dense) = (Items(0, 1, 2, 11, 99), new[] { 0.1f, -0.2f, 0.3f, 0f, 1f });
                var rows = new ExampleBatch(HistoryMax, 0u);
                for (var i = 0; i < items.Length; i++) rows.Add(StableHash.Of("u1"), items[i], history, 2, NowMs, StableHash.Of("home"), dense: [dense[i]]);
                var (expected, found) = (new float[items.Length], new float[items.Length]);
                model.Predict(rows, expected);
                candidates.Refresh();
                candidates.Score(StableHash.Of("u1"), history, 2, StableHash.Of("home"), NowMs, items, dense, found);
                for (var i = 0; i < items.Length; i++) found[i].ShouldBe(expected[i], 1e-5f, $"{name}, candidate {i}");
                expected.Distinct().Count().ShouldBeGreaterThan(1, name);
            }
        }
    }
}
