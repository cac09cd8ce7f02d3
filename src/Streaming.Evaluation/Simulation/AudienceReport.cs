namespace Streaming.Evaluation.Simulation;

/// <summary>A point of an arm's click rate over time.</summary>
/// <param name="StartMs">Since the start of the simulation.</param>
/// <param name="Impressions">Items shown from then to the next point.</param>
/// <param name="Clicks">Clicks on them.</param>
public readonly record struct CtrPoint(long StartMs, long Impressions, long Clicks)
{
    public double Ctr => Impressions == 0 ? 0 : Clicks / (double)Impressions;
}

/// <summary>What one arm's pages got.</summary>
public sealed record ArmReport
{
    public required string Arm { get; init; }
    public required long Pages { get; init; }
    public required long Impressions { get; init; }
    public required long Clicks { get; init; }

    /// <summary>Clicks over impressions.</summary>
    public double Ctr => Impressions == 0 ? 0 : Clicks / (double)Impressions;

    /// <summary>Mean true click probability of what was shown: <see cref="Ctr"/> without the luck of the draw.</summary>
    public required double ExpectedCtr { get; init; }

    /// <summary>Mean click probability had the same users seen the best page at that moment, on a sample of the page views.</summary>
    public required double OracleCtr { get; init; }

    /// <summary>The same for a random page.</summary>
    public required double RandomCtr { get; init; }

    /// <summary>Expected clicks lost against the best page, per page view, on the sample.</summary>
    public required double RegretPerPage { get; init; }

    public required IReadOnlyList<CtrPoint> OverTime { get; init; }
}

/// <summary>What the audience has done so far.</summary>
public sealed record AudienceReport
{
    /// <summary>By name.</summary>
    public required IReadOnlyList<ArmReport> Arms { get; init; }
    public required long Pages { get; init; }

    /// <summary>Page views that the target could not serve.</summary>
    public required long Unserved { get; init; }

    /// <summary>Shown items that have expired or never existed.</summary>
    public required long GoneShown { get; init; }
    public required long Events { get; init; }
    public required long Sessions { get; init; }
    public required long UsersSeen { get; init; }
    public required long ItemsPublished { get; init; }

    public ArmReport? Arm(string name) => Arms.FirstOrDefault(a => a.Arm == name);
}

/// <summary>Counts of one arm, and its click rate over time in a bounded number of points.</summary>
internal sealed class ArmTally(int windowMs, int windowsMax)
{
    private readonly List<(long Impressions, long Clicks)> _points = [];
    private long _windowMs = windowMs;
    private long _pages, _impressions, _clicks, _sampledPages, _sampledSlots;
    private double _expected, _sampledExpected, _oracle, _random;

    public void Page(long sinceStartMs, int impressions, int clicks, double expectedClicks)
    {
        _pages++;
        _impressions += impressions;
        _clicks += clicks;
        _expected += expectedClicks;
        while (sinceStartMs / _windowMs >= windowsMax) Coarsen();
        var at = (int)(sinceStartMs / _windowMs);
        while (_points.Count <= at) _points.Add(default);
        _points[at] = (_points[at].Impressions + impressions, _points[at].Clicks + clicks);
    }

    public void Sample(double expectedClicks, double oracleClicks, double randomClicks, int slots)
    {
        _sampledPages++;
        _sampledSlots += slots;
        _sampledExpected += expectedClicks;
        _oracle += oracleClicks;
        _random += randomClicks;
    }

    private void Coarsen()
    {
        _windowMs *= 2;
        for (var i = 0; i < _points.Count; i += 2)
        {
            var next = i + 1 < _points.Count ? _points[i + 1] : default;
            _points[i / 2] = (_points[i].Impressions + next.Impressions, _points[i].Clicks + next.Clicks);
        }
        _points.RemoveRange((_points.Count + 1) / 2, _points.Count / 2);
    }

    public ArmReport Report(string arm) => new()
    {
        Arm = arm, Pages = _pages, Impressions = _impressions, Clicks = _clicks, ExpectedCtr = Over(_expected, _impressions),
        OracleCtr = Over(_oracle, _sampledSlots), RandomCtr = Over(_random, _sampledSlots),
        RegretPerPage = Over(_oracle - _sampledExpected, _sampledPages),
        OverTime = [.. _points.Select((p, i) => new CtrPoint(i * _windowMs, p.Impressions, p.Clicks))],
    };

    private static double Over(double sum, long count) => count == 0 ? 0 : sum / count;
}
