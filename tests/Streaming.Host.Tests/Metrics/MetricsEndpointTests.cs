using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Streaming.Core.Feeds;
using Streaming.Core.Metrics;
using Streaming.Host.Metrics;

namespace Streaming.Host.Tests.Metrics;

/// <summary>The meters belong to the whole process: tests that read them run while no other test does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessWideMeters
{
    public const string Name = "process-wide meters";
}

/// <summary>What GET /metrics promises, whichever exporter this build has: prometheus-net or our own.</summary>
[Collection(ProcessWideMeters.Name)]
public sealed class MetricsEndpointTests
{
    /// <summary>The golden list: dashboards and alerts go by these names, so it only grows.</summary>
    private static readonly string[] Names =
    [
        "streaming_actor_restarts_total", "streaming_arm_clicks_total", "streaming_arm_contamination", "streaming_arm_examples_total",
        "streaming_arm_impressions_total", "streaming_arm_positives_total", "streaming_arm_served_total", "streaming_checkpoint_seconds",
        "streaming_click_to_list_seconds", "streaming_dead_letters_total", "streaming_events_total", "streaming_examples_total",
        "streaming_feed_age_seconds", "streaming_head_ndcg", "streaming_head_served", "streaming_list_build_seconds", "streaming_lists_built_total", "streaming_log_lag_records", "streaming_lookup_seconds",
        "streaming_lookups_total", "streaming_model_version", "streaming_overlay_auc", "streaming_overlay_entries", "streaming_prequential_auc",
        "streaming_prequential_calibration", "streaming_prequential_gauc", "streaming_prequential_goal_auc", "streaming_prequential_goal_calibration",
        "streaming_prequential_goal_normalised_entropy", "streaming_prequential_log_loss",
        "streaming_prequential_normalised_entropy", "streaming_recall_seconds", "streaming_repeats_total", "streaming_resident_users", "streaming_round_seconds",
        "streaming_rounds_total", "streaming_users_loaded_total", "streaming_users_passivated_total", "streaming_version_skew_total",
    ];

    [Fact]
    public Task Every_instrument_is_scraped_under_its_name_with_help_and_type() => WithEndpoint(async scrape =>
    {
        UseAll("click");

        var page = await scrape();

        page.Types.Keys.Where(n => n.StartsWith("streaming_", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ShouldBe(Names);
        page.Help.Keys.ShouldBe(page.Types.Keys, ignoreOrder: true);
        foreach (var name in Names.Where(n => n.EndsWith("_seconds", StringComparison.Ordinal))) page.Types[name].ShouldBe("histogram");
        foreach (var name in (string[])["streaming_prequential_auc", "streaming_resident_users", "streaming_log_lag_records"])
            page.Types[name].ShouldBe("gauge");
        foreach (var name in Names.Where(n => n.EndsWith("_total", StringComparison.Ordinal))) page.Types[name].ShouldBe("counter");
    });

    [Fact]
    public Task Counters_add_up_and_never_fall() => WithEndpoint(async scrape =>
    {
        UseAll("click");
        var first = await scrape();
        StreamingMeters.CountEvents("click", 41);
        UseAll("share");
        var second = await scrape();

        (second.Value("streaming_events_total", ("type", "click")) - first.Value("streaming_events_total", ("type", "click"))).ShouldBe(41);
        second.Value("streaming_events_total", ("type", "share")).ShouldBe(1);
        foreach (var sample in first.Samples.Where(s => s.Name.StartsWith("streaming_", StringComparison.Ordinal) && s.Name.EndsWith("_total", StringComparison.Ordinal)))
            second.Samples.Single(s => s.Series == sample.Series).Value.ShouldBeGreaterThanOrEqualTo(sample.Value, sample.Series);
    });

    [Fact]
    public Task Histogram_buckets_are_cumulative_and_end_in_the_count() => WithEndpoint(async scrape =>
    {
        foreach (var seconds in (double[])[0.0004, 0.0005, 0.003, 0.003, 0.2, 99]) StreamingMeters.RoundSeconds.Record(seconds);

        var page = await scrape();

        page.Value("streaming_round_seconds_bucket", ("le", "0.0005")).ShouldBe(2);
        page.Value("streaming_round_seconds_bucket", ("le", "0.005")).ShouldBe(4);
        page.Value("streaming_round_seconds_bucket", ("le", "0.25")).ShouldBe(5);
        page.Value("streaming_round_seconds_count").ShouldBe(6);
        page.Value("streaming_round_seconds_sum").ShouldBe(0.0004 + 0.0005 + 0.006 + 0.2 + 99, 1e-9);
        var histograms = page.Samples.Where(s => s.Labels.ContainsKey("le")).GroupBy(s => s.Series).ToList();
        histograms.ShouldNotBeEmpty();
        foreach (var histogram in histograms)
        {
            histogram.Select(s => s.Labels["le"]).Last().ShouldBe("+Inf");
            histogram.Select(s => s.Value).ShouldBeInOrder();
        }
    });

    [Fact]
    public Task Label_values_survive_quotes_backslashes_and_newlines() => WithEndpoint(async scrape =>
    {
        const string nasty = "a\"b\\c\nd";
        StreamingMeters.CountEvents(nasty);

        (await scrape()).Value("streaming_events_total", ("type", nasty)).ShouldBe(1);
    });

    [Fact]
    public Task A_gauge_that_is_removed_ends() => WithEndpoint(async scrape =>
    {
        StreamingMeters.PrequentialAuc.Set("endpoint-test", 0.75);
        (await scrape()).Value("streaming_prequential_auc", ("model", "endpoint-test")).ShouldBe(0.75);
        StreamingMeters.PrequentialAuc.Remove("endpoint-test");
        (await scrape()).Samples.ShouldNotContain(s => s.Labels.Values.Contains("endpoint-test"));
    });

    [Fact]
    public Task Goals_heads_and_channels_are_told_by_their_labels() => WithEndpoint(async scrape =>
    {
        UseAll("click");
        await scrape();
        UseAll("click");
        var page = await scrape();

        page.Value("streaming_prequential_goal_auc", ("model", "esmm"), ("goal", "purchase")).ShouldBe(0.5);
        page.Value("streaming_head_ndcg", ("model", "prm"), ("order", "head")).ShouldBe(0.4);
        page.Value("streaming_head_served", ("model", "prm")).ShouldBe(1);
        page.Value("streaming_recall_seconds_count", ("channel", "itemcf")).ShouldBeGreaterThanOrEqualTo(1);
        page.Value("streaming_list_build_seconds_count", ("experiment", "default"), ("arm", "learned")).ShouldBeGreaterThanOrEqualTo(1);
    });

    [Fact]
    public Task The_runtime_and_the_server_are_there_too() => WithEndpoint(async scrape =>
    {
        await scrape();
        var page = await scrape();

        page.Samples.ShouldContain(s => s.Name == "dotnet_process_memory_working_set_bytes" && s.Value > 1e6);
        page.Samples.ShouldContain(s => s.Name == "http_server_request_duration_seconds_count" && s.Value >= 1);
    });

    /// <summary>One measurement on every instrument.</summary>
    internal static void UseAll(string type)
    {
        StreamingMeters.CountEvents(type);
        StreamingMeters.CountDeadLetters("bad time: in the future");
        StreamingMeters.CountLookup(LookupResult.Personal);
        StreamingMeters.CountExamples(ExampleLabel.Positive);
        StreamingMeters.Repeats.Add(1);
        StreamingMeters.ListsBuilt.Add(1);
        StreamingMeters.Restarts.Add(1);
        StreamingMeters.Passivated.Add(1);
        StreamingMeters.Loaded.Add(1);
        StreamingMeters.Rounds.Add(1);
        StreamingMeters.RoundSeconds.Record(0.002);
        StreamingMeters.CheckpointSeconds.Record(0.2);
        StreamingMeters.ClickToListSeconds.Record(0.02);
        StreamingMeters.LookupSeconds.Record(0.0002);
        StreamingMeters.FeedAgeSeconds.Record(20);
        StreamingMeters.PrequentialAuc.Set("ftrl", 0.7);
        foreach (var gauge in (LabelledGauge[])[StreamingMeters.PrequentialGauc, StreamingMeters.PrequentialLogLoss, StreamingMeters.PrequentialNormalisedEntropy, StreamingMeters.PrequentialCalibration, StreamingMeters.ModelVersion])
            gauge.Set("ftrl", 0.5);
        foreach (var gauge in (LabelledGauge[])[StreamingMeters.PrequentialGoalAuc, StreamingMeters.PrequentialGoalNormalisedEntropy, StreamingMeters.PrequentialGoalCalibration])
            gauge.Set("esmm", "purchase", 0.5);
        StreamingMeters.HeadNdcg.Set("prm", "head", 0.4);
        StreamingMeters.HeadServed.Set("prm", 1);
        StreamingMeters.RecordRecall(FeedChannels.ItemCf, TimeSpan.FromMicroseconds(40));
        StreamingMeters.RecordListBuild("learned", TimeSpan.FromMicroseconds(300));
        StreamingMeters.CountVersionSkew(SkewKind.UserIndex, 1);
        StreamingMeters.ResidentUsers.Set(12);
        StreamingMeters.LogLagRecords.Set("0", 3);
        foreach (var moment in Enum.GetValues<ArmMoment>()) StreamingMeters.CountArm(moment, "learned");
        StreamingMeters.ArmContamination.Set("learned", 0.1);
        StreamingMeters.OverlayAuc.Set("test:a", 0.7);
        StreamingMeters.OverlayEntries.Set("test:a", 12);
    }

    /// <summary>A server on a free port with nothing but the endpoint. Counting starts with it.</summary>
    internal static async Task WithEndpoint(Func<Func<Task<Exposition>>, Task> test)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var app = builder.Build();
        MetricsEndpoint.Map(app);
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        await test(async () =>
        {
            using var response = await client.GetAsync("/metrics");
            response.StatusCode.ShouldBe(HttpStatusCode.OK);
            response.Content.Headers.ContentType!.MediaType.ShouldBe("text/plain");
            return Exposition.Parse(await response.Content.ReadAsStringAsync());
        });
        await app.StopAsync();
    }
}
