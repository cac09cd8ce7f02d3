using Streaming.Suites;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Learning.Statistics;

namespace Streaming.Learning.Tests;

public sealed class ItemStatisticsTests
{
    private static readonly LearningSettings Settings = new() { CtrPriorImpressions = 10, CtrHalfLifeMs = 10_000, PopularityHalfLifeMs = 1000 };

    [Fact]
    public void Counts_halve_every_half_life_but_the_totals_stay()
    {
        var statistics = new ItemStatistics(Settings, new ItemCatalog());
        for (var i = 0; i < 8; i++) statistics.OnExample(Shown(5, i < 4 ? 1f : 0f, 0));
        var now = statistics.Figures(5, 10_000);
        now.Impressions.ShouldBe(4f);
        now.Clicks.ShouldBe(2f);
        now.Shown.ShouldBe(8f);
        now.Ctr.ShouldBe(0.5f, 1e-5f);
        now.PositiveShare.ShouldBe(0.5f, 1e-5f);
    }

    [Fact]
    public void A_sampled_negative_counts_for_those_that_were_dropped()
    {
        var statistics = new ItemStatistics(Settings, new ItemCatalog());
        statistics.OnExample(Shown(5, 0f, 0, sampleRate: 0.25f));
        statistics.Figures(5, 0).Impressions.ShouldBe(4f);
    }

    [Fact]
    public void A_correction_adds_a_click_and_no_impression()
    {
        var statistics = new ItemStatistics(Settings, new ItemCatalog());
        statistics.OnExample(Shown(5, 0f, 0));
        statistics.OnExample(Shown(5, 1f, 0, correction: true));
        statistics.Figures(5, 0).Impressions.ShouldBe(1f);
        statistics.Figures(5, 0).Clicks.ShouldBe(1f);
    }

    [Fact]
    public void An_unknown_item_has_the_prior()
    {
        var statistics = new ItemStatistics(Settings, new ItemCatalog());
        for (var i = 0; i < 999; i++) statistics.OnExample(Shown(5, i % 10 == 0 ? 1f : 0f, 0));
        var unknown = statistics.Figures(6, 0);
        unknown.Ctr.ShouldBe(0.1f, 0.001f);
        unknown.Coec.ShouldBe(1f);
        // One impression moves a new item little: the prior counts as ten.
        statistics.OnExample(Shown(6, 1f, 0));
        statistics.Figures(6, 0).Ctr.ShouldBe((1f + 10 * 0.1f) / 11f, 0.002f);
    }

    [Fact]
    public void Coec_recovers_planted_quality_under_position_bias_where_the_click_rate_cannot()
    {
        var statistics = new ItemStatistics(Settings with { CtrHalfLifeMs = 1_000_000_000 }, new ItemCatalog());
        double[] examined = [1.0, 0.5, 0.25, 0.12];
        // Quality 1/2 on even items, 1/4 on odd; of both, half are shown high and half are shown low, never elsewhere.
        for (var i = 0UL; i < 200_000; i++)
        {
            var item = 1 + i % 8;
            var position = (int)(StableHash.Combine(i, 1) % 2) + (item <= 4 ? 0 : 2);
            var click = StableHash.Unit(StableHash.Combine(i, 2)) < Quality(item) * examined[position];
            statistics.OnExample(Shown(item, click ? 1f : 0f, (long)i, position: position));
        }
        for (var item = 1UL; item <= 8; item++)
            ((double)statistics.Figures(item, 200_000).Coec).ShouldBe(Quality(item) / 0.375, 0.1, $"item {item}");
        // A good item shown low has fewer clicks per impression than a poor one shown high.
        statistics.Figures(6, 200_000).Ctr.ShouldBeLessThan(statistics.Figures(1, 200_000).Ctr);
        statistics.PositionRate(0).ShouldBe(0.375, 0.02);
        statistics.PositionRate(1).ShouldBe(0.1875, 0.02);

        static double Quality(ulong item) => item % 2 == 0 ? 0.5 : 0.25;
    }

    [Fact]
    public void Popularity_is_kept_overall_per_surface_and_per_category()
    {
        var catalog = new ItemCatalog();
        var item = catalog.Apply(new ItemChange("a", new Item("a") { Categories = ["news"] }, 0))!;
        var statistics = new ItemStatistics(Settings, catalog);
        statistics.OnInteraction(Acted(item.Key, 2f, "home", 0));
        statistics.OnInteraction(Acted(item.Key, 1f, "mail", 0));
        statistics.OnInteraction(Acted(item.Key, -3f, "home", 0));
        statistics.Popularity(item.Key, 0).ShouldBe(3);
        statistics.Popularity(item.Key, "home", 0).ShouldBe(2);
        statistics.Popularity(item.Key, "mail", 1000).ShouldBe(0.5);
        statistics.Popularity(item.Key, "shop", 0).ShouldBe(0);
        statistics.CategoryPopularity(InterestKey.Category("news"), 0).ShouldBe(3);
    }

    [Fact]
    public void It_is_bounded_and_makes_room_by_age()
    {
        var statistics = new ItemStatistics(Settings with { StatisticsItemsMax = 50, ItemExpiryMs = 5000 }, new ItemCatalog());
        for (var item = 1UL; item <= 200; item++) statistics.OnExample(Shown(item, 1f, 0));
        statistics.Count.ShouldBe(50);
        for (var i = 0; i < 2000; i++) statistics.OnExample(Shown(1, 0f, 10_000));
        statistics.Count.ShouldBe(1);
        statistics.OnExample(Shown(200, 1f, 10_000));
        statistics.Figures(200, 10_000).Shown.ShouldBe(1f);
    }

    [Fact]
    public void Save_load_continue_equals_never_having_stopped_and_corruption_is_refused()
    {
        var settings = Settings with { StatisticsItemsMax = 60, ItemExpiryMs = 400 };
        var whole = Fed(settings, 0, 3000, null);
        var resumed = new ItemStatistics(settings, new ItemCatalog());
        var half = LearningRig.Bytes(Fed(settings, 0, 1500, null));
        resumed.Load(new MemoryStream(half));
        LearningRig.Bytes(Fed(settings, 1500, 3000, resumed)).ShouldBe(LearningRig.Bytes(whole));
        half[half.Length / 2] ^= 1;
        Should.Throw<InvalidDataException>(() => resumed.Load(new MemoryStream(half)));
        LearningRig.Bytes(resumed).ShouldBe(LearningRig.Bytes(whole));
    }

    [Fact]
    public void Known_items_cost_no_allocation()
    {
        var statistics = Fed(Settings, 0, 1000, null);
        var (example, interaction) = (Shown(5, 1f, 1000, position: 3), Acted(5, 1f, "", 1000));
        statistics.OnExample(example);
        statistics.OnInteraction(interaction);
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 1000; i++)
            {
                statistics.OnExample(example);
                statistics.OnInteraction(interaction);
                statistics.Figures(5, 2000);
            }
        }).ShouldBe(0);
    }

    private static ItemStatistics Fed(LearningSettings settings, int from, int to, ItemStatistics? into)
    {
        into ??= new ItemStatistics(settings, new ItemCatalog());
        for (var i = from; i < to; i++)
        {
            var item = 1 + StableHash.Finalise((ulong)i) % 100;
            into.OnExample(Shown(item, i % 3 == 0 ? 1f : 0f, i, position: i % 5));
            if (i % 3 == 0) into.OnInteraction(Acted(item, 1f, "home", i));
        }
        return into;
    }

    private static Example Shown(ulong item, float label, long timeMs, int position = -1, float sampleRate = 1f, bool correction = false) => new()
    {
        Source = new LogPosition(0, timeMs), Ordinal = 0, User = "u", ItemKey = item, ShownMs = timeMs, LabelMs = timeMs, Label = label,
        Position = position, SampleRate = sampleRate, IsCorrection = correction, Features = [], Values = [],
    };

    private static Interaction Acted(ulong item, float weight, string surface, long timeMs) => new()
    {
        Source = new LogPosition(0, timeMs), Ordinal = 1, User = "u", ItemKey = item, Action = EventKind.Click, Weight = weight,
        TimeMs = timeMs, Surface = surface,
    };
}
