using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Settings;

namespace Streaming.Evaluation.Simulation;

/// <summary>
/// The simulated users and items and what passes between them: sessions, tastes, trends, reactions. It knows no clock and no
/// recommender; <see cref="Audience"/> and <see cref="SimulatedUsers"/> drive it. One thread, but for <see cref="React"/> and
/// <see cref="BestAndRandom"/>, which may run for different users at once.
/// </summary>
internal sealed class World : ISimulatedTruth
{
    private readonly AudienceSettings _settings;
    private readonly Catalogue _catalogue;
    private readonly Trends _trends;
    private readonly SimUser[] _users;
    private readonly Dictionary<string, SimUser> _byId = [];
    private readonly List<int> _active = [];
    private readonly List<int> _away = [];
    private readonly double[] _examine;
    private Draws _draws;
    private long _usersSeen;
    private long _sessions;
    private long _published;

    /// <exception cref="ArgumentException">The settings are unsound; the message lists what is wrong.</exception>
    public World(AudienceSettings settings)
    {
        var problems = new SettingsProblems();
        settings.Validate(problems);
        if (problems.List.Count > 0) throw new ArgumentException(string.Join("; ", problems.List), nameof(settings));
        _settings = settings;
        _draws = new Draws((ulong)settings.Seed * 7 + 2);
        _catalogue = new Catalogue(settings);
        _trends = new Trends(settings);
        _examine = [.. Enumerable.Range(0, settings.PageSize).Select(k => Math.Pow(k + 1, -settings.ExaminationDecay))];
        _users = new SimUser[settings.Users];
        for (var u = 0; u < _users.Length; u++)
        {
            NewUser(u);
            _away.Add(u);
        }
    }

    public IReadOnlyList<SimUser> Users => _users;

    public IReadOnlyList<SimItem> Live => _catalogue.Live;

    /// <summary>Users in a session.</summary>
    public int Active => _active.Count;

    /// <summary>Users there have ever been; from any thread.</summary>
    public long UsersSeen => Interlocked.Read(ref _usersSeen);

    /// <summary>Sessions opened; from any thread.</summary>
    public long Sessions => Interlocked.Read(ref _sessions);

    /// <summary>Items published; from any thread.</summary>
    public long Published => Interlocked.Read(ref _published);

    /// <summary>When the first items were published, Unix ms; -1 before.</summary>
    public long StartMs { get; private set; } = -1;

    /// <summary>Lets items come and go and trends move up to now; returns the new items.</summary>
    public IReadOnlyList<ItemChange> Publish(long nowMs)
    {
        var first = StartMs < 0;
        if (first) StartMs = nowMs;
        var arrived = first ? _catalogue.Start(nowMs) : _catalogue.Advance(nowMs);
        _trends.Advance(nowMs);
        Interlocked.Add(ref _published, arrived.Count);
        return arrived;
    }

    /// <summary>Opens sessions until the intended share of users is active; returns those who now declare their interests.</summary>
    public List<SimUser> FillSessions()
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
            Interlocked.Increment(ref _sessions);
        }
        return declaring;
    }

    /// <summary>
    /// Draws a user in a session and moves them to place <paramref name="last"/> of the active ones: calls with falling places
    /// draw different users.
    /// </summary>
    public SimUser DrawActive(int last)
    {
        var drawn = _draws.Below(last + 1);
        (_active[drawn], _active[last]) = (_active[last], _active[drawn]);
        return _users[_active[last]];
    }

    /// <summary>After a page the user at this place of the active ones may end the session: twice as likely without a click.</summary>
    public bool MaybeLeave(int activeAt, int clicks)
    {
        var leave = 1 / _settings.SessionPages * (clicks > 0 ? 1 : 2);
        if (!_users[_active[activeAt]].Draws.Chance(leave)) return false;
        _away.Add(_active[activeAt]);
        _active[activeAt] = _active[^1];
        _active.RemoveAt(_active.Count - 1);
        return true;
    }

    /// <summary>What a user who opens their first session declares.</summary>
    public UserEvent ProfileOf(SimUser user, long nowMs)
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

    /// <summary>The user looks at a page and reacts.</summary>
    public Reaction React(SimUser user, ServedPage page, long nowMs)
    {
        var reaction = new Reaction(_settings, user, page, nowMs);
        foreach (var shown in page.Items)
        {
            if (_catalogue.Find(shown.Item) is not { } item || item.Item.IsExpired(nowMs))
            {
                reaction.Gone++;
                continue;
            }
            var appeal = user.Appeal(item, nowMs);
            reaction.To(shown, appeal, Click(appeal, shown.Position), Examination(shown.Position), item.Price);
        }
        user.Forget(id => _catalogue.Find(id) is null);
        return reaction;
    }

    /// <inheritdoc/>
    public double Examination(int position) => position < 0 ? 1 : position < _examine.Length
        ? _examine[position] : Math.Pow(position + 1, -_settings.ExaminationDecay);

    /// <inheritdoc/>
    public double TrueClickProbability(string user, string item, long timeMs, int position = 0)
    {
        var known = Known(user);
        return _catalogue.Find(item) is { } found ? Click(known.Appeal(found, timeMs), position) : 0;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> BestList(string user, int slots, long timeMs)
    {
        var known = Known(user);
        var appeals = _catalogue.Live.Select(item => known.Appeal(item, timeMs)).ToArray();
        var order = Enumerable.Range(0, appeals.Length).ToArray();
        Array.Sort(order, (a, b) => appeals[a] != appeals[b] ? appeals[b].CompareTo(appeals[a]) : a.CompareTo(b));
        return [.. order.Take(slots).Select(i => _catalogue.Live[i].Item.Id)];
    }

    /// <inheritdoc/>
    public double ExpectedClicks(string user, IReadOnlyList<string> list, long timeMs)
    {
        double sum = 0;
        for (var k = 0; k < list.Count; k++) sum += TrueClickProbability(user, list[k], timeMs, k);
        return sum;
    }

    /// <summary>Expected clicks of the best and of a random page of so many slots.</summary>
    public (double Oracle, double Random) BestAndRandom(SimUser user, int slots, long nowMs)
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

    private SimUser Known(string user) =>
        _byId.TryGetValue(user, out var known) ? known : throw new ArgumentException($"there is no user '{user}'", nameof(user));

    private double Click(double appeal, int position) => appeal <= 0 ? 0
        : Examination(position) * (appeal * _settings.ClickWhenAppealing + (1 - appeal) * _settings.ClickOnTrust / (Math.Max(0, position) + 1));

    private void NewUser(int slot)
    {
        if (_users[slot] is { } old) _byId.Remove(old.Id);
        var user = new SimUser(_settings, Interlocked.Increment(ref _usersSeen), _catalogue.Popularity, _trends.Logits);
        _users[slot] = user;
        _byId[user.Id] = user;
    }
}
