using System.Security.Cryptography;
using Streaming.Core.Events;
using Streaming.Core.Wire;
using Streaming.Evaluation.Simulation;
using Xunit.Abstractions;

namespace Streaming.Evaluation.Tests.Simulation;

public sealed class AudienceTests(ITestOutputHelper output)
{
    private const long Start = 1_750_000_000_000;

    private static async Task<ArmReport> Browse(Policy policy, int seconds, AudienceSettings settings)
    {
        var audience = new Audience(settings);
        var target = new PolicyTarget(policy) { Truth = audience };
        await audience.RunVirtualAsync(target, Start, seconds * 1000L);
        return audience.Report().Arms.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_simple_personal_policy_beats_the_popular_list_within_a_minute_and_the_oracle_beats_both()
    {
        var settings = new AudienceSettings { PageViewsPerSecond = 120, Users = 300 };
        var runs = await Task.WhenAll(new[] { Policy.Random, Policy.Popular, Policy.TagAffinity }.Select(p => Task.Run(() => Browse(p, 60, settings))));
        var oracle = await Browse(Policy.Oracle, 6, settings);
        foreach (var run in runs.Append(oracle))
            output.WriteLine($"{run.Arm}: pages {run.Pages} ctr {run.Ctr:F4} expected {run.ExpectedCtr:F4} oracle {run.OracleCtr:F4} "
                + $"random {run.RandomCtr:F4} regret {run.RegretPerPage:F3} last ten seconds {Mean(run.OverTime.TakeLast(10)):F4}");
        var (random, popular, personal) = (runs[0], runs[1], runs[2]);

        popular.Ctr.ShouldBeGreaterThan(1.2 * random.Ctr);
        personal.Ctr.ShouldBeGreaterThan(1.6 * popular.Ctr);
        oracle.Ctr.ShouldBeGreaterThan(personal.Ctr);
        // The known truth agrees with the draws, and the report's own yardsticks with the policies that play them.
        personal.ExpectedCtr.ShouldBe(personal.Ctr, 0.01);
        oracle.ExpectedCtr.ShouldBe(oracle.OracleCtr, 0.01);
        random.ExpectedCtr.ShouldBe(random.RandomCtr, 0.01);
        personal.RegretPerPage.ShouldBeGreaterThan(0);
        oracle.RegretPerPage.ShouldBe(0, 0.05);
        // It learns: the last ten seconds are better than the first.
        Mean(personal.OverTime.TakeLast(10)).ShouldBeGreaterThan(1.1 * Mean(personal.OverTime.Take(2)));
    }

    private static double Mean(IEnumerable<CtrPoint> points) => points.Sum(p => p.Clicks) / (double)points.Sum(p => p.Impressions);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task The_same_seed_gives_the_same_events_to_the_byte(int concurrency)
    {
        var settings = new AudienceSettings { Users = 60, Items = 200, ConcurrencyMax = concurrency, Seed = 5 };
        (await Digest(settings)).ShouldBe(await Digest(settings));
        (await Digest(settings with { Seed = 6 })).ShouldNotBe(await Digest(settings));
    }

    private static async Task<string> Digest(AudienceSettings settings)
    {
        var audience = new Audience(settings);
        var target = new PolicyTarget(Policy.TagAffinity) { KeepLog = true };
        await audience.RunVirtualAsync(target, Start, 3000);
        var bytes = new ByteWriter();
        foreach (var e in target.Log) EventWriter.Write(e, bytes);
        bytes.Length.ShouldBeGreaterThan(10_000);
        return Convert.ToHexString(SHA256.HashData(bytes.WrittenSpan));
    }

    [Fact]
    public async Task Events_are_ones_the_live_path_accepts_and_tie_back_to_their_page()
    {
        var audience = new Audience(new AudienceSettings { Users = 100, Items = 300, HideUnappealing = 0.5 });
        var target = new PolicyTarget(Policy.Random) { KeepLog = true };
        await audience.RunVirtualAsync(target, Start, 10_000);

        var pages = target.Log.Where(e => e.Kind == EventKind.Impression).ToDictionary(e => e.RequestId!);
        var bytes = new ByteWriter();
        foreach (var e in target.Log)
        {
            bytes.Clear();
            EventWriter.Write(e, bytes);
            EventParser.TryParse(bytes.WrittenSpan, 0, out _, out var reason).ShouldBeTrue(reason);
            if (e.Item is null) continue;
            var page = pages[e.RequestId!];
            page.User.ShouldBe(e.User);
            page.Items[e.Position].Item.ShouldBe(e.Item);
            e.TimeMs.ShouldBeGreaterThan(page.TimeMs);
        }
        var kinds = target.Log.Select(e => e.Kind).ToHashSet();
        foreach (var kind in (EventKind[])[EventKind.Click, EventKind.Dwell, EventKind.Like, EventKind.Hide, EventKind.UserUpsert]) kinds.ShouldContain(kind);
        target.Log.Select(e => e.EventId).Distinct().Count().ShouldBe(target.Log.Count);
        var report = audience.Report();
        report.Pages.ShouldBe(2000);
        report.Sessions.ShouldBeGreaterThan(100);
        report.UsersSeen.ShouldBeGreaterThan(100, "some users left for good and were replaced by cold ones");
        report.Arms.Single().Clicks.ShouldBe(target.Log.Count(e => e.Kind == EventKind.Click));
        report.Arms.Single().Impressions.ShouldBe(20_000);
    }

    [Fact]
    public async Task Clicks_fall_with_the_position_as_examination_does()
    {
        var audience = new Audience(new AudienceSettings { Users = 200, Items = 400, ClickOnTrust = 0, SeenLogit = 0 });
        var target = new PolicyTarget(Policy.Random) { KeepLog = true };
        await audience.RunVirtualAsync(target, Start, 60_000);
        var clicks = new int[10];
        foreach (var e in target.Log.Where(e => e.Kind == EventKind.Click)) clicks[e.Position]++;
        // 12,000 random pages: position k gets (k + 1)^-1/2 of the clicks of position 0.
        for (var k = 1; k < 10; k++) (clicks[k] / (double)clicks[0]).ShouldBe(Math.Pow(k + 1, -0.5), 0.1);
    }

    [Fact]
    public async Task Items_come_and_go_and_an_expired_item_is_never_clicked()
    {
        var settings = new AudienceSettings { Users = 50, Items = 200, ItemLifeMs = 10_000 };
        var audience = new Audience(settings);
        var target = new PolicyTarget(Policy.Popular);
        await audience.StepAsync(target, Start, 0);
        var first = audience.Items.Select(i => i.Id).ToHashSet();
        first.Count.ShouldBe(200);
        await audience.RunVirtualAsync(target, Start, 20_000);
        var later = audience.Items.ToList();
        later.Count.ShouldBeInRange(140, 260);
        later.Count(i => first.Contains(i.Id)).ShouldBe(0, "nothing lives longer than 1.5 times the mean");
        audience.ClickProbability(audience.Users.First(), first.First(), 0, Start + 20_000).ShouldBe(0);
        audience.ClickProbability(audience.Users.First(), later[^1].Id, 0, Start + 20_000).ShouldBeInRange(1e-4, 1);
        audience.Report().GoneShown.ShouldBe(0);
    }

    [Fact]
    public async Task A_target_that_cannot_serve_is_counted_and_not_fatal()
    {
        var audience = new Audience(new AudienceSettings { Users = 20, Items = 20 });
        await audience.StepAsync(new Closed(), Start, 30);
        audience.Report().Unserved.ShouldBe(30);
        audience.Report().Arms.ShouldBeEmpty();
    }

    private sealed class Closed : IAudienceTarget
    {
        public ValueTask<ServedPage?> FeedAsync(string user, string surface, int limit, long nowMs, CancellationToken cancel) => new((ServedPage?)null);
        public ValueTask SendAsync(IReadOnlyList<UserEvent> events, CancellationToken cancel) => default;
        public ValueTask UpsertItemsAsync(IReadOnlyList<Streaming.Core.Items.ItemChange> changes, CancellationToken cancel) => default;
    }

    [Fact]
    public async Task By_the_clock_it_browses_until_cancelled()
    {
        var audience = new Audience(new AudienceSettings { Users = 50, Items = 50, PageViewsPerSecond = 500 });
        using var stop = new CancellationTokenSource();
        var target = new PolicyTarget(Policy.Random);
        var run = audience.RunAsync(target, TimeSpan.FromMinutes(10), TimeProvider.System, stop.Token);
        SpinWait.SpinUntil(() => audience.Report().Pages >= 100, TimeSpan.FromSeconds(20)).ShouldBeTrue();
        await stop.CancelAsync();
        await run;
        audience.Report().Pages.ShouldBeGreaterThanOrEqualTo(100);
    }

    [Fact]
    public void Unsound_settings_are_refused_with_their_path()
    {
        var e = Should.Throw<ArgumentException>(() => new Audience(new AudienceSettings { Users = 0, JumpPerSession = 2 }));
        e.Message.ShouldContain("Audience:Users");
        e.Message.ShouldContain("Audience:JumpPerSession");
    }
}
