using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.Simulation;

/// <summary>
/// A seeded, simulated audience that browses a recommender and reacts to what it is shown. The truth is known
/// (<see cref="ClickProbability"/>), so regret can be measured. A click needs a look and then appeal or trust: position-based
/// examination (Richardson et al. 2007; Craswell et al. 2008) times the trust-bias model of Agarwal et al. 2019, "Addressing
/// Trust Bias for Unbiased Learning-to-Rank":
/// P(click | u, i, k, t) = examine(k) (appeal(u, i, t) ClickWhenAppealing + (1 - appeal(u, i, t)) ClickOnTrust / (k + 1)),
/// appeal being a logistic function of the user's drifting taste for the item's topics, its quality, its age, and how often the
/// user has seen or clicked it. With a deterministic target and ConcurrencyMax 1, a seed fixes everything.
/// </summary>
public sealed class Audience
{
    private readonly AudienceSettings _settings;
    private readonly World _world;
    private readonly SortedDictionary<string, ArmTally> _arms = new(StringComparer.Ordinal);
    private readonly Lock _reporting = new();
    private long _planned, _pages, _unserved, _gone, _events;

    /// <summary>What came of one page view. Oracle and Random are expected clicks, or -1 where they were not worked out.</summary>
    private readonly record struct View(
        ServedPage? Page, int Clicks, int Gone, double Expected, int Events, double Oracle, double Random)
    {
        public bool IsSampled => Oracle >= 0;
    }

    /// <exception cref="ArgumentException">The settings are unsound; the message lists what is wrong.</exception>
    public Audience(AudienceSettings settings)
    {
        _settings = settings;
        _world = new World(settings);
    }

    /// <summary>
    /// The true probability that the user would click the item at a zero-based position now, given all they have seen so far; 0
    /// for an item that is gone. Call between steps.
    /// </summary>
    /// <exception cref="ArgumentException">No such user.</exception>
    public double ClickProbability(string user, string item, int position, long nowMs) => _world.TrueClickProbability(user, item, nowMs, position);

    /// <summary>Users there are now.</summary>
    public IEnumerable<string> Users => _world.Users.Select(u => u.Id);

    /// <summary>Items that can be shown now.</summary>
    public IEnumerable<Item> Items => _world.Live.Select(i => i.Item);

    /// <summary>What has been done so far; from any thread.</summary>
    public AudienceReport Report()
    {
        lock (_reporting)
            return new AudienceReport
            {
                Arms = [.. _arms.Select(a => a.Value.Report(a.Key))], Pages = _pages, Unserved = _unserved, GoneShown = _gone, Events = _events,
                Sessions = _world.Sessions, UsersSeen = _world.UsersSeen, ItemsPublished = _world.Published,
            };
    }

    /// <summary>
    /// Browses for a while by the given clock, at <see cref="AudienceSettings.PageViewsPerSecond"/> or as fast as the target can if
    /// that is slower: page views that are more than a second late are dropped. Ends early, without an error, when cancelled.
    /// </summary>
    public async Task RunAsync(IAudienceTarget target, TimeSpan duration, TimeProvider time, CancellationToken cancel = default)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(_settings.TickMs), time);
        var start = time.GetTimestamp();
        double done = 0;
        try
        {
            for (TimeSpan passed; (passed = time.GetElapsedTime(start)) < duration;)
            {
                var due = passed.TotalSeconds * _settings.PageViewsPerSecond;
                done = Math.Max(done, due - _settings.PageViewsPerSecond);
                var views = (int)(due - done);
                done += views;
                await StepAsync(target, time.GetUtcNow().ToUnixTimeMilliseconds(), views, cancel).ConfigureAwait(false);
                await timer.WaitForNextTickAsync(cancel).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The caller has seen enough; the report stands.
        }
    }

    /// <summary>Browses through virtual time without waiting, tick by tick.</summary>
    public async Task RunVirtualAsync(IAudienceTarget target, long startMs, long durationMs, CancellationToken cancel = default)
    {
        var done = 0L;
        for (long passed = 0; passed < durationMs; passed += _settings.TickMs)
        {
            cancel.ThrowIfCancellationRequested();
            var due = (long)((passed + _settings.TickMs) * _settings.PageViewsPerSecond / 1000);
            await StepAsync(target, startMs + passed, (int)(due - done), cancel).ConfigureAwait(false);
            done = due;
        }
    }

    /// <summary>One tick: new items appear, sessions start, and so many users look at a page. Not to be called concurrently.</summary>
    public async Task StepAsync(IAudienceTarget target, long nowMs, int pageViews, CancellationToken cancel = default)
    {
        await PublishAsync(target, nowMs, cancel).ConfigureAwait(false);
        for (var left = pageViews; left > 0;)
        {
            var arrivals = _world.FillSessions();
            if (arrivals.Count > 0) await target.SendAsync(arrivals.ConvertAll(u => _world.ProfileOf(u, nowMs)), cancel).ConfigureAwait(false);
            var batch = Math.Min(Math.Min(left, _settings.ConcurrencyMax), _world.Active);
            left -= batch;
            // The users of this batch, all different, come to stand at the end of the active ones.
            var views = new Task<View>[batch];
            var active = _world.Active;
            for (var b = 0; b < batch; b++)
                views[b] = ViewAsync(target, _world.DrawActive(active - 1 - b), ++_planned % _settings.OracleEvery == 0, nowMs, cancel);
            var seen = await Task.WhenAll(views).ConfigureAwait(false);
            for (var b = 0; b < batch; b++) Account(seen[b], nowMs);
            // From the end of the list on down, so that taking one out does not move those still to come.
            for (var b = 0; b < batch; b++) _world.MaybeLeave(active - 1 - b, seen[b].Clicks);
        }
    }

    private async ValueTask PublishAsync(IAudienceTarget target, long nowMs, CancellationToken cancel)
    {
        var arrived = _world.Publish(nowMs);
        if (arrived.Count > 0) await target.UpsertItemsAsync(arrived, cancel).ConfigureAwait(false);
    }

    private async Task<View> ViewAsync(IAudienceTarget target, SimUser user, bool sample, long nowMs, CancellationToken cancel)
    {
        var page = await target.FeedAsync(user.Id, _settings.Surface, _settings.PageSize, nowMs, cancel).ConfigureAwait(false);
        if (page is null || page.Items.Count == 0) return new View(page, 0, 0, 0, 0, -1, -1);
        var (oracle, random) = sample ? _world.BestAndRandom(user, page.Items.Count, nowMs) : (-1, -1);
        var reaction = _world.React(user, page, nowMs);
        await target.SendAsync(reaction.Events, cancel).ConfigureAwait(false);
        return new View(page, reaction.Clicks, reaction.Gone, reaction.Expected, reaction.Events.Count, oracle, random);
    }

    private void Account(in View view, long nowMs)
    {
        lock (_reporting)
        {
            _pages++;
            _events += view.Events;
            _gone += view.Gone;
            if (view.Page is null || view.Page.Items.Count == 0)
            {
                _unserved++;
                return;
            }
            if (!_arms.TryGetValue(view.Page.Arm, out var arm))
                _arms[view.Page.Arm] = arm = new ArmTally(_settings.WindowMs, _settings.WindowsMax);
            arm.Page(nowMs - _world.StartMs, view.Page.Items.Count, view.Clicks, view.Expected);
            if (view.IsSampled) arm.Sample(view.Expected, view.Oracle, view.Random, view.Page.Items.Count);
        }
    }
}
