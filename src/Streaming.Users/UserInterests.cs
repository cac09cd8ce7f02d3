using Streaming.Core.Settings;

namespace Streaming.Users;

/// <summary>Reads a user's short- and long-term interest as of a moment; pure functions of the state.</summary>
public static class UserInterests
{
    /// <summary>A long-term weight decayed to <paramref name="nowMs"/>.</summary>
    public static float WeightAt(in Interest interest, UsersSettings settings, long nowMs) =>
        (float)(interest.Weight * Decay.Factor(nowMs - interest.TimeMs, settings.LongHalfLifeMs));

    /// <summary>Decayed weight of an interest vector.</summary>
    public static float WeightAt(InterestVector vector, UsersSettings settings, long nowMs) =>
        (float)(vector.Weight * Decay.Factor(nowMs - vector.TimeMs, settings.LongHalfLifeMs));

    /// <summary>
    /// How much the short-term vector counts against the long-term one, in [0, 1): g = s / (s + sqrt(l)), where s and l are the
    /// decayed action weights behind the two vectors. A burst of actions in this session raises it, silence lets it fall with
    /// the short half-life, and a long history asks for more evidence. 0 without any short-term evidence.
    /// </summary>
    public static float Gate(UserState user, UsersSettings settings, long nowMs)
    {
        var s = user.ShortWeight * Decay.Factor(nowMs - user.ShortMs, settings.ShortHalfLifeMs);
        var l = user.LongWeight * Decay.Factor(nowMs - user.LongMs, settings.LongHalfLifeMs);
        return s > 0 ? (float)(s / (s + Math.Sqrt(l))) : 0;
    }

    /// <summary>
    /// The recall query: q = (û + g ŝ + (1 - g) l̂) / 2, where û, ŝ, l̂ are the embedding, the short- and the long-term vector at unit
    /// length (zero stays zero) and g is <see cref="Gate"/>. Shape of <paramref name="into"/>: [dim]. False, with zeros, for
    /// a user of whom nothing is known.
    /// </summary>
    public static bool Query(UserState user, UsersSettings settings, long nowMs, Span<float> into)
    {
        into.Clear();
        var gate = Gate(user, settings, nowMs);
        return AddUnit(into, user.Embedding, 0.5f) | AddUnit(into, user.ShortVector, 0.5f * gate) | AddUnit(into, user.LongVector, 0.5f * (1 - gate));
    }

    private static bool AddUnit(Span<float> into, ReadOnlySpan<float> vector, float factor)
    {
        double norm = 0;
        foreach (var x in vector) norm += x * x;
        if (norm == 0 || factor == 0) return false;
        var scale = (float)(factor / Math.Sqrt(norm));
        for (var i = 0; i < into.Length; i++) into[i] += scale * vector[i];
        return true;
    }
}
