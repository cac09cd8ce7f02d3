namespace Streaming.Evaluation.Simulation;

/// <summary>One user: latent tastes, what they have seen and clicked, and the session they are in. All draws are the user's own.</summary>
internal sealed class SimUser
{
    /// <summary>The pull of a drifting taste back to where it was, per session.</summary>
    private const double Pull = 0.1;

    private readonly AudienceSettings _settings;
    private readonly double[] _base;
    private readonly double[] _taste;
    private readonly int[] _favourites;
    private readonly Dictionary<string, (int Seen, bool Clicked)> _memory = [];
    private readonly double[] _trends;
    private Draws _draws;
    private Draws _afterthoughts;

    /// <param name="trends">Logits by topic that hold for everybody, kept up to date by their owner.</param>
    public SimUser(AudienceSettings settings, long number, ReadOnlySpan<double> topicPopularity, double[] trends)
    {
        _settings = settings;
        Id = $"u{number}";
        _trends = trends;
        _draws = new Draws((ulong)settings.Seed * 1_000_003 + (ulong)number);
        _afterthoughts = new Draws((ulong)settings.Seed * 1_000_033 + (ulong)number);
        _favourites = new int[settings.FavouriteTopics];
        _base = new double[settings.Topics];
        _taste = new double[settings.Topics];
        for (var t = 0; t < _base.Length; t++) _base[t] = settings.OtherLogit + _draws.Normal() * settings.TasteSpread;
        var weights = topicPopularity.ToArray();
        for (var f = 0; f < _favourites.Length; f++)
        {
            var topic = _favourites[f] = _draws.Weighted(weights);
            weights[topic] = 0;
            _base[topic] = settings.FavouriteLogit + _draws.Normal() * settings.TasteSpread;
        }
        _base.CopyTo(_taste, 0);
        DeclaresInterests = _draws.Chance(settings.ProfileShare);
    }

    public string Id { get; }
    public bool DeclaresInterests { get; }
    public ReadOnlySpan<int> Favourites => _favourites;
    public int Sessions { get; private set; }
    public string SessionId => $"{Id}.{Sessions}";

    /// <summary>Events sent, for ids that differ.</summary>
    public long Sent { get; set; }

    public ref Draws Draws => ref _draws;

    /// <summary>Draws of their own for what follows a click: they leave who clicks what as it is.</summary>
    public ref Draws Afterthoughts => ref _afterthoughts;

    /// <summary>A new session: tastes have drifted, and sometimes jumped.</summary>
    public void StartSession()
    {
        Sessions++;
        for (var t = 0; t < _taste.Length; t++) _taste[t] += Pull * (_base[t] - _taste[t]) + _draws.Normal() * _settings.DriftPerSession;
        if (!_draws.Chance(_settings.JumpPerSession)) return;
        var given = _draws.Below(_favourites.Length);
        var taken = _draws.Below(_taste.Length);
        if (Array.IndexOf(_favourites, taken) >= 0) return;
        var old = _favourites[given];
        (_base[old], _base[taken]) = (_base[taken], _base[old]);
        (_taste[old], _taste[taken]) = (_taste[taken], _taste[old]);
        _favourites[given] = taken;
    }

    /// <summary>Probability in (0, 1) that the item appeals to the user now; 0 once it has expired.</summary>
    public double Appeal(SimItem item, long nowMs)
    {
        if (item.Item.IsExpired(nowMs)) return 0;
        var logit = _settings.BaseLogit + item.TopicShare * _taste[item.Topic] + (1 - item.TopicShare) * _taste[item.SecondTopic]
            + item.TopicShare * _trends[item.Topic] + (1 - item.TopicShare) * _trends[item.SecondTopic] + item.Quality - _settings.AgeLogit * item.Age(nowMs);
        if (_memory.TryGetValue(item.Item.Id, out var past))
            logit -= Math.Min(past.Seen, 5) * _settings.SeenLogit + (past.Clicked ? _settings.ClickedLogit : 0);
        return 1 / (1 + Math.Exp(-logit));
    }

    public void Remember(string item, bool clicked)
    {
        _memory.TryGetValue(item, out var past);
        _memory[item] = clicked ? (past.Seen, true) : (past.Seen + 1, past.Clicked);
    }

    /// <summary>Forgets items that can no longer be shown, once they are many.</summary>
    public void Forget(Func<string, bool> isGone)
    {
        if (_memory.Count <= 2 * _settings.Items) return;
        foreach (var id in _memory.Keys.Where(isGone).ToList()) _memory.Remove(id);
    }
}
