namespace Streaming.Evaluation.Simulation;

/// <summary>
/// What moves everybody at once: a logit per topic that follows an Ornstein-Uhlenbeck process in event time, with mean 0,
/// standard deviation <see cref="AudienceSettings.TrendSpread"/> and half-life <see cref="AudienceSettings.TrendHalfLifeMs"/>. It moves on a
/// fixed grid of time, so it does not depend on how often it is asked.
/// </summary>
internal sealed class Trends
{
    private const int StepsPerHalfLife = 64;

    private readonly double _spread;
    private readonly double _keep;
    private readonly double _shock;
    private readonly long _stepMs;
    private Draws _draws;
    private long _nextMs = -1;

    public Trends(AudienceSettings settings)
    {
        _spread = settings.TrendSpread;
        _stepMs = Math.Max(1, settings.TrendHalfLifeMs / StepsPerHalfLife);
        _keep = Math.Pow(0.5, (double)_stepMs / settings.TrendHalfLifeMs);
        _shock = _spread * Math.Sqrt(1 - _keep * _keep);
        _draws = new Draws((ulong)settings.Seed * 11 + 5);
        Logits = new double[settings.Topics];
        // The stationary state: as in the long run from the start on.
        if (_spread > 0)
            for (var t = 0; t < Logits.Length; t++) Logits[t] = _spread * _draws.Normal();
    }

    /// <summary>By topic, as of the last step; changes in place.</summary>
    public double[] Logits { get; }

    public void Advance(long nowMs)
    {
        if (_spread <= 0) return;
        if (_nextMs < 0) _nextMs = nowMs + _stepMs;
        for (; _nextMs <= nowMs; _nextMs += _stepMs)
            for (var t = 0; t < Logits.Length; t++) Logits[t] = _keep * Logits[t] + _shock * _draws.Normal();
    }
}
