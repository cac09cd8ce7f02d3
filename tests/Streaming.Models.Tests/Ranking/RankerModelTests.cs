using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Models.Deep;
using Streaming.Models.Ranking;
using Streaming.Suites;

namespace Streaming.Models.Tests.Ranking;

public abstract class RankerSuite(string name) : DeepModelSuite
{
    protected override IDeepModel Create(long seed) => RankerModelTests.Create(name, (ulong)seed, new ItemCatalog());
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
public sealed class DienSuiteTests() : RankerSuite("dien");
public sealed class SharedBottomSuiteTests() : RankerSuite("shared_bottom");
public sealed class MmoeSuiteTests() : RankerSuite("mmoe");
public sealed class PleSuiteTests() : RankerSuite("ple");

/// <summary>What the live path adds to the networks: the rows of examples, and candidates that share a user.</summary>
public sealed class RankerModelTests
{
    private const int HistoryMax = 6;
    private const long NowMs = 1_700_000_000_000;

    internal static RankerModel Create(string name, ulong seed, IItemCatalog catalog, int dense = 0) => new(
        name, new RankerOptions { Dim = 8, Hidden = [16, 8], Rate = 5e-3f, TableRate = 2e-2f, InitScale = 0.1f, Seed = seed }, HistoryMax, dense, catalog, TestDevice.Torch);

    [Fact]
    public void Settings_know_every_live_ranker() => Rankers.Live.ShouldBe(DeepSettings.Known.Skip(3));

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
