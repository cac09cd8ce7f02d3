using Streaming.Core.Metrics;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Node.Deep;

namespace Streaming.Node.Tests;

/// <summary>Planted pairs of versions, mismatched and not, and what is counted of each.</summary>
public sealed class SkewWatchTests
{
    private const int SkewMsMax = 1_000;

    private ModelStamp _tower = new(7, 50_000);
    private ModelStamp _din = new(9, 50_000);
    private long _index = 7;
    private (long, long) _counts = (812, 812);
    private long _liveMs = 50_000;

    /// <summary>One list of each arm under the versions as they stand now.</summary>
    private (long UserIndex, long RecallRanker, long RankerEmbeddings, long Lists) OneListOf(params IEnumerable<string> arms)
    {
        var watch = new SkewWatch(
            [
                new ArmModels("learned", null, null, null), new ArmModels("tower", () => _tower, () => _index, null),
                new ArmModels("din", null, null, () => _din), new ArmModels("both", () => _tower, () => _index, () => _din),
            ],
            () => _counts, () => _liveMs, SkewMsMax);
        watch.Refresh();
        foreach (var arm in arms) watch.Count(arm);
        var counts = watch.Counts;
        return (counts.UserIndex, counts.RecallRanker, counts.RankerEmbeddings, counts.Lists);
    }

    [Fact]
    public void Versions_that_go_together_count_nothing() =>
        OneListOf("learned", "tower", "din", "both", "holdout").ShouldBe((0, 0, 0, 4), "the hold-out's lists are no model's");

    [Fact]
    public void An_index_with_a_vector_of_another_version_is_counted_for_whoever_recalls_by_it()
    {
        _index = 6;
        OneListOf("learned", "din").ShouldBe((0, 0, 0, 2));
        OneListOf("tower", "both", "both").ShouldBe((3, 0, 0, 3));
    }

    [Fact]
    public void Recall_and_ranker_that_are_too_far_apart_in_the_stream_are_counted()
    {
        _tower = _tower with { NewestMs = 50_000 - SkewMsMax };
        OneListOf("tower", "both").ShouldBe((0, 0, 0, 2), "no further than allowed");
        _tower = _tower with { NewestMs = 50_000 - SkewMsMax - 1 };
        OneListOf("tower", "both", "din").ShouldBe((0, 2, 0, 3));
        _din = _din with { NewestMs = _tower.NewestMs };
        OneListOf("both").ShouldBe((0, 0, 0, 1), "two of the same age");
        _liveMs = 0;
        OneListOf("tower").ShouldBe((0, 0, 0, 1), "where a model stands is not known yet");
    }

    [Fact]
    public void A_ranker_and_embeddings_of_different_counts_are_counted_where_the_live_ranker_ranks()
    {
        _counts = (812, 811);
        OneListOf("learned", "tower", "din", "both").ShouldBe((0, 0, 2, 4));
        _din = default;
        OneListOf("din", "both").ShouldBe((0, 0, 2, 2), "a model without a version leaves its lists to the live one");
    }

    [Fact]
    public void A_tower_without_a_version_is_no_pair()
    {
        (_tower, _index, _liveMs) = (default, 3, 1);
        OneListOf("tower", "both").ShouldBe((0, 0, 0, 2));
    }

    [Fact]
    public void What_is_looked_at_follows_from_the_arms()
    {
        var popular = ArmPolicy.Holdout(10);
        var models = SkewWatch.ModelsOf([ArmPolicy.Learned, popular], null, new FeedsSettings());
        models.ShouldHaveSingleItem().ShouldBe(new ArmModels("learned", null, null, null));
    }

    [Fact]
    public void What_is_counted_is_published()
    {
        var seen = 0L;
        using var listener = new System.Diagnostics.Metrics.MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument is { Name: "version_skew_total", Meter.Name: StreamingMeters.MeterName }) self.EnableMeasurementEvents(instrument);
        };
        // Other nodes of this process count too, but never this kind: their learners are in step.
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (var tag in tags)
                if (tag.Value is "ranker_embeddings") Interlocked.Add(ref seen, value);
        });
        listener.Start();
        var watch = new SkewWatch([new ArmModels("learned", null, null, null)], () => (2, 1), () => 0, SkewMsMax);
        watch.Refresh();
        watch.Count("learned");
        watch.Count("learned");
        watch.Refresh();
        watch.Refresh();
        Interlocked.Read(ref seen).ShouldBe(2);
    }
}
