using Streaming.Core.Wire;

namespace Streaming.Learning.Statistics;

/// <summary>
/// The click rate of each position, learned online: the examination part of COEC. The last position stands for all below it;
/// an unknown position (-1) gets the rate over all.
/// </summary>
internal sealed class PositionCurve(int positionsMax, double prior)
{
    private double[] _impressions = new double[positionsMax];
    private double[] _clicks = new double[positionsMax];
    private double _allImpressions;
    private double _allClicks;

    /// <summary>Clicks over impressions of the whole stream, smoothed towards one in two while there is little.</summary>
    public double GlobalRate => (_allClicks + 0.5) / (_allImpressions + 1);

    public double Impressions => _allImpressions;

    public double Rate(int position)
    {
        if (position < 0) return GlobalRate;
        var at = Math.Min(position, positionsMax - 1);
        return (_clicks[at] + prior * GlobalRate) / (_impressions[at] + prior);
    }

    public void Add(int position, double impressions, double clicks)
    {
        _allImpressions += impressions;
        _allClicks += clicks;
        if (position < 0) return;
        var at = Math.Min(position, positionsMax - 1);
        _impressions[at] += impressions;
        _clicks[at] += clicks;
    }

    /// <summary>Becomes a copy of another with as many positions.</summary>
    public void Take(PositionCurve from)
    {
        from._impressions.CopyTo(_impressions, 0);
        from._clicks.CopyTo(_clicks, 0);
        (_allImpressions, _allClicks) = (from._allImpressions, from._allClicks);
    }

    public void Save(CheckpointWriter writer)
    {
        writer.Int32(positionsMax);
        writer.Values<double>(_impressions);
        writer.Values<double>(_clicks);
        writer.Double(_allImpressions);
        writer.Double(_allClicks);
    }

    public PositionCurve Read(CheckpointReader reader)
    {
        reader.Expect(positionsMax, "positions");
        var curve = new PositionCurve(positionsMax, prior);
        reader.Values(curve._impressions.AsSpan());
        reader.Values(curve._clicks.AsSpan());
        curve._allImpressions = reader.Double();
        curve._allClicks = reader.Double();
        return curve;
    }
}
