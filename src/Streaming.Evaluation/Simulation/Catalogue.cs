using System.Globalization;
using Streaming.Core.Ids;
using Streaming.Core.Items;

namespace Streaming.Evaluation.Simulation;

/// <summary>An item with what only the simulation knows of it.</summary>
internal sealed class SimItem
{
    public required Item Item { get; init; }
    public required int Topic { get; init; }
    public required int SecondTopic { get; init; }

    /// <summary>Share of <see cref="Topic"/>; the rest is the second topic's.</summary>
    public required double TopicShare { get; init; }

    /// <summary>Quality in logits.</summary>
    public required double Quality { get; init; }

    /// <summary>What a purchase costs, 5 to 100; a hash of the id, so that it takes no draw.</summary>
    public required double Price { get; init; }

    /// <summary>0 at publication, 1 at expiry.</summary>
    public double Age(long nowMs) => Math.Clamp((nowMs - Item.PublishedMs) / (double)(Item.ExpiresMs - Item.PublishedMs), 0, 1);
}

/// <summary>
/// The live items: a stationary birth and death process. New items arrive as a Poisson process at the rate that keeps
/// <see cref="AudienceSettings.Items"/> alive on average; each has a main and a second topic (tags), a finer tag, a category
/// (the main topic), an author, a quality, and an expiry.
/// </summary>
internal sealed class Catalogue
{
    /// <summary>Finer tags per topic.</summary>
    private const int Subtopics = 6;

    private static readonly string[] TopicNames =
    [
        "football", "politics", "music", "films", "cooking", "travel", "science", "games", "fashion", "health", "business", "cars",
        "books", "nature", "history", "comedy", "art", "tennis", "space", "gardens", "money", "dance", "weather", "chess",
    ];

    private readonly AudienceSettings _settings;
    private readonly List<SimItem> _live = [];
    private readonly Dictionary<string, SimItem> _byId = [];
    private readonly double[] _popularity;
    private Draws _draws;
    private double _nextArrivalMs;
    private long _born;

    public Catalogue(AudienceSettings settings)
    {
        _settings = settings;
        _draws = new Draws((ulong)settings.Seed * 3 + 1);
        _popularity = [.. Enumerable.Range(1, settings.Topics).Select(r => Math.Pow(r, -settings.TopicSkew))];
    }

    public IReadOnlyList<SimItem> Live => _live;

    /// <summary>How much the audience as a whole favours each topic; not normalised.</summary>
    public ReadOnlySpan<double> Popularity => _popularity;

    public string TopicName(int topic) => topic < TopicNames.Length ? TopicNames[topic] : $"topic-{topic}";

    public SimItem? Find(string id) => _byId.GetValueOrDefault(id);

    /// <summary>The catalogue as it stands when the simulation starts: ages as in the long run.</summary>
    public IReadOnlyList<ItemChange> Start(long nowMs)
    {
        var changes = new List<ItemChange>(_settings.Items);
        for (var i = 0; i < _settings.Items; i++) changes.Add(Add(nowMs, _draws.Unit()));
        _nextArrivalMs = nowMs + _draws.Exponential(ArrivalGapMs);
        return changes;
    }

    /// <summary>Lets time pass: expired items go, new ones come. Returns the new ones.</summary>
    public IReadOnlyList<ItemChange> Advance(long nowMs)
    {
        List<ItemChange> arrived = [];
        for (; _nextArrivalMs <= nowMs; _nextArrivalMs += _draws.Exponential(ArrivalGapMs)) arrived.Add(Add((long)_nextArrivalMs, 0));
        _live.RemoveAll(item => item.Item.IsExpired(nowMs) && _byId.Remove(item.Item.Id));
        return arrived;
    }

    private double ArrivalGapMs => (double)_settings.ItemLifeMs / _settings.Items;

    private ItemChange Add(long nowMs, double age)
    {
        var topic = _draws.Below(_settings.Topics);
        var second = _draws.Below(_settings.Topics);
        var life = _settings.ItemLifeMs * (0.5 + _draws.Unit());
        var published = nowMs - (long)(life * age);
        var id = $"i{++_born}";
        var authorsOfTopic = Math.Max(1, _settings.Authors / _settings.Topics);
        var price = Math.Round(5 + 95 * StableHash.Unit(StableHash.Of(id)), 2);
        var item = new Item(id)
        {
            Tags = [.. new[] { TopicName(topic), TopicName(second), $"{TopicName(topic)}/{_draws.Below(Subtopics)}" }.Distinct()],
            Categories = [TopicName(topic)], Author = $"{TopicName(topic)}-author-{_draws.Below(authorsOfTopic)}",
            PublishedMs = published, ExpiresMs = published + Math.Max(1, (long)life), FirstSeenMs = nowMs,
            Attributes = [new("title", $"{TopicName(topic)} no. {_born}"), new("price", price.ToString(CultureInfo.InvariantCulture))],
        };
        var simulated = new SimItem
        {
            Item = item, Topic = topic, SecondTopic = second, TopicShare = 0.7 + 0.3 * _draws.Unit(),
            Quality = _draws.Normal() * _settings.QualitySpread, Price = price,
        };
        _live.Add(simulated);
        _byId[id] = simulated;
        return new ItemChange(id, item, nowMs);
    }
}
