using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Settings;

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
    private readonly Catalogue _catalogue;
    private readonly SimUser[] _users;
    private readonly Dictionary<string, SimUser> _byId = [];
    private readonly List<int> _active = [];
    private readonly List<int> _away = [];
    private readonly SortedDictionary<string, ArmTally> _arms = new(StringComparer.Ordinal);
    private readonly double[] _examine;
    private readonly Lock _reporting = new();
    private Draws _draws;
    private long _startMs = -1;
    private long _usersSeen, _planned, _pages, _unserved, _gone, _events, _sessions, _published;

    /// <summary>What came of one page view. Oracle and Random are expected clicks, or -1 where they were not worked out.</summary>
    private readonly record struct View(
        SimUser User, ServedPage? Page, int Clicks, int Gone, double Expected, int Events, double Oracle, double Random)
    {
        public bool IsSampled => Oracle >= 0;
    }

    /// <exception cref="ArgumentException">The settings are unsound; the message lists what is wrong.</exception>
    public Audience(AudienceSettings settings)
    {
        var problems = new SettingsProblems();
        settings.Validate(problems);
        if (problems.List.Count > 0) throw new ArgumentException(string.Join("; ", problems.List), nameof(settings));
        _settings = settings;
        _draws = new Draws((ulong)settings.Seed * 7 + 2);
        _catalogue = new Catalogue(settings);
        _examine = [.. Enumerable.Range(0, settings.PageSize).Select(k => Math.Pow(k + 1, -settings.ExaminationDecay))];
        _users = new SimUser[settings.Users];
        for (var u = 0; u < _users.Length; u++)
        {
            NewUser(u);
            _away.Add(u);
        }
    }

    /// <summary>
    /// The true probability that the user would click the item at a zero-based position now, given all they have seen so far; 0
    /// for an item that is gone. Call between steps.
    /// </summary>
    /// <exception cref="ArgumentException">No such user.</exception>
    public double ClickProbability(string user, string item, int position, long nowMs)
    {
        if (!_byId.TryGetValue(user, out var known)) throw new ArgumentException($"there is no user '{user}'", nameof(user));
        return _catalogue.Find(item) is { } found ? Click(known.Appeal(found, nowMs), position) : 0;
    }

    /// <summary>Users there are now.</summary>
    public IEnumerable<string> Users => _users.Select(u => u.Id);

    /// <summary>Items that can be shown now.</summary>
    public IEnumerable<Item> Items => _catalogue.Live.Select(i => i.Item);

    /// <summary>What has been done so far; from any thread.</summary>
    public AudienceReport Report()
    {
        lock (_reporting)
            return new AudienceReport
            {
                Arms = [.. _arms.Select(a => a.Value.Report(a.Key))], Pages = _pages, Unserved = _unserved, GoneShown = _gone, Events = _events,
                Sessions = _sessions, UsersSeen = _usersSeen, ItemsPublished = _published,
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
            var arrivals = FillSessions();
            if (arrivals.Count > 0) await target.SendAsync(arrivals.ConvertAll(u => ProfileOf(u, nowMs)), cancel).ConfigureAwait(false);
            var batch = Math.Min(Math.Min(left, _settings.ConcurrencyMax), _active.Count);
            left -= batch;
            // A partial shuffle puts the users of this batch, all different, at the end of the list.
            var views = new Task<View>[batch];
            var active = _active.Count;
            for (var b = 0; b < batch; b++)
            {
                var last = active - 1 - b;
                var drawn = _draws.Below(last + 1);
                (_active[drawn], _active[last]) = (_active[last], _active[drawn]);
                views[b] = ViewAsync(target, _users[_active[last]], ++_planned % _settings.OracleEvery == 0, nowMs, cancel);
            }
            var seen = await Task.WhenAll(views).ConfigureAwait(false);
            for (var b = 0; b < batch; b++) Account(seen[b], nowMs);
            // From the end of the list on down, so that taking one out does not move those still to come.
            for (var b = 0; b < batch; b++) MaybeLeave(active - 1 - b, seen[b]);
        }
    }

    private async ValueTask PublishAsync(IAudienceTarget target, long nowMs, CancellationToken cancel)
    {
        var first = _startMs < 0;
        if (first) _startMs = nowMs;
        var arrived = first ? _catalogue.Start(nowMs) : _catalogue.Advance(nowMs);
        if (arrived.Count == 0) return;
        lock (_reporting) _published += arrived.Count;
        await target.UpsertItemsAsync(arrived, cancel).ConfigureAwait(false);
    }

    /// <summary>Opens sessions until the intended share of users is active; returns those who now declare their interests.</summary>
    private List<SimUser> FillSessions()
    {
        List<SimUser> declaring = [];
        var intended = Math.Max(1, (int)(_settings.ActiveShare * _users.Length));
        while (_active.Count < intended && _away.Count > 0)
        {
            var at = _draws.Below(_away.Count);
            var u = _away[at];
            _away[at] = _away[^1];
            _away.RemoveAt(_away.Count - 1);
            if (_users[u].Sessions > 0 && _draws.Chance(_settings.NewUserPerSession)) NewUser(u);
            if (_users[u].Sessions == 0 && _users[u].DeclaresInterests) declaring.Add(_users[u]);
            _users[u].StartSession();
            _active.Add(u);
            lock (_reporting) _sessions++;
        }
        return declaring;
    }

    private void NewUser(int slot)
    {
        if (_users[slot] is { } old) _byId.Remove(old.Id);
        var user = new SimUser(_settings, ++_usersSeen, _catalogue.Popularity);
        _users[slot] = user;
        _byId[user.Id] = user;
    }

    private UserEvent ProfileOf(SimUser user, long nowMs)
    {
        List<string> interests = [];
        foreach (var topic in user.Favourites)
            if (interests.Count < 2) interests.Add(_catalogue.TopicName(topic));
        return new UserEvent
        {
            Kind = EventKind.UserUpsert, Type = "user_upsert", User = user.Id, TimeMs = nowMs, EventId = $"{user.Id}:profile",
            Profile = new UserProfile { Interests = interests },
        };
    }

    private async Task<View> ViewAsync(IAudienceTarget target, SimUser user, bool sample, long nowMs, CancellationToken cancel)
    {
        var page = await target.FeedAsync(user.Id, _settings.Surface, _settings.PageSize, nowMs, cancel).ConfigureAwait(false);
        if (page is null || page.Items.Count == 0) return new View(user, page, 0, 0, 0, 0, -1, -1);
        var (oracle, random) = sample ? BestAndRandom(user, page.Items.Count, nowMs) : (-1, -1);
        var reaction = new Reaction(_settings, user, page, nowMs);
        var gone = 0;
        double expected = 0;
        foreach (var shown in page.Items)
        {
            if (_catalogue.Find(shown.Item) is not { } item || item.Item.IsExpired(nowMs))
            {
                gone++;
                continue;
            }
            var appeal = user.Appeal(item, nowMs);
            var click = Click(appeal, shown.Position);
            expected += click;
            reaction.To(shown, appeal, click, Examine(shown.Position));
        }
        user.Forget(id => _catalogue.Find(id) is null);
        await target.SendAsync(reaction.Events, cancel).ConfigureAwait(false);
        return new View(user, page, reaction.Clicks, gone, expected, reaction.Events.Count, oracle, random);
    }

    private double Examine(int position) => position < 0 ? 1 : position < _examine.Length
        ? _examine[position] : Math.Pow(position + 1, -_settings.ExaminationDecay);

    private double Click(double appeal, int position) => appeal <= 0 ? 0
        : Examine(position) * (appeal * _settings.ClickWhenAppealing + (1 - appeal) * _settings.ClickOnTrust / (Math.Max(0, position) + 1));

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
            arm.Page(nowMs - _startMs, view.Page.Items.Count, view.Clicks, view.Expected);
            if (view.IsSampled) arm.Sample(view.Expected, view.Oracle, view.Random, view.Page.Items.Count);
        }
    }

    /// <summary>Expected clicks of the best and of a random page of so many slots.</summary>
    private (double Oracle, double Random) BestAndRandom(SimUser user, int slots, long nowMs)
    {
        var appeals = new double[_catalogue.Live.Count];
        double sum = 0;
        for (var i = 0; i < appeals.Length; i++) sum += appeals[i] = user.Appeal(_catalogue.Live[i], nowMs);
        if (appeals.Length == 0) return (0, 0);
        Array.Sort(appeals);
        // A click's probability is linear in the appeal, so a random page gets that of the mean appeal at every position.
        double oracle = 0, random = 0;
        for (var k = 0; k < slots; k++)
        {
            if (k < appeals.Length) oracle += Click(appeals[^(k + 1)], k);
            random += Click(sum / appeals.Length, k);
        }
        return (oracle, random);
    }

    private void MaybeLeave(int activeAt, in View view)
    {
        var leave = 1 / _settings.SessionPages * (view.Clicks > 0 ? 1 : 2);
        if (!view.User.Draws.Chance(leave)) return;
        _away.Add(_active[activeAt]);
        _active[activeAt] = _active[^1];
        _active.RemoveAt(_active.Count - 1);
    }
}
