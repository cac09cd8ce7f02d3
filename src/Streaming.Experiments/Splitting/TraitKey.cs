using Streaming.Core.Events;
using Streaming.Core.Ids;

namespace Streaming.Experiments.Splitting;

/// <summary>A user's attribute as a number: what targeting compares, without strings, on the look-up's path.</summary>
public static class TraitKey
{
    public static ulong Of(string attribute, string value) => StableHash.Combine(StableHash.Of(attribute), StableHash.Of(value));

    /// <summary>Fills <paramref name="into"/> with the keys of a profile's attributes and returns how many; 0 for no profile.</summary>
    public static int Fill(UserProfile? profile, Span<ulong> into)
    {
        if (profile is null) return 0;
        var count = Math.Min(into.Length, profile.Attributes.Count);
        for (var i = 0; i < count; i++) into[i] = Of(profile.Attributes[i].Key, profile.Attributes[i].Value);
        return count;
    }
}
