namespace Streaming.Core;

/// <summary>A sum that halves every half-life of event time. Late additions count as much as they would have decayed to by now.</summary>
public struct Decayed
{
    public double Value;
    public long TimeMs;

    public readonly double At(long nowMs, double halfLifeMs) =>
        nowMs <= TimeMs ? Value : Value * Math.Pow(0.5, (nowMs - TimeMs) / halfLifeMs);

    public void Add(long nowMs, double amount, double halfLifeMs)
    {
        if (nowMs >= TimeMs)
        {
            Value = At(nowMs, halfLifeMs) + amount;
            TimeMs = nowMs;
        }
        else
        {
            Value += amount * Math.Pow(0.5, (TimeMs - nowMs) / halfLifeMs);
        }
    }
}
