using System.Text;

namespace Streaming.Core.Experiments;

/// <summary>
/// The canonical name of all that a user is assigned to, as lists, impressions and examples carry it:
/// <c>base~experiment:arm~experiment:arm</c>, experiments in ordinal order of their names. The base is the arm of the default layer
/// (<c>Experiments:HoldoutShare</c>, <c>Experiments:ArmShares</c>), so without experiments the key is just that: "learned". A hold-out
/// stands like an experiment, with the arm <see cref="Held"/>. Names hold none of the separators and no dot
/// (<see cref="Feeds.RequestId"/> reserves it).
/// </summary>
public static class ArmKey
{
    /// <summary>The experiment under which the base counts.</summary>
    public const string DefaultExperiment = "default";

    /// <summary>The arm of those whom a hold-out keeps out of experiments.</summary>
    public const string Held = "held";

    public const int NameCharsMax = 32;

    private const char Between = '~';
    private const char Is = ':';

    /// <summary>Whether a text can name a domain, hold-out, layer, experiment or arm: a-z, 0-9, '_' and '-', at most <see cref="NameCharsMax"/>.</summary>
    public static bool IsName(string text) => text.Length is > 0 and <= NameCharsMax && !text.AsSpan().ContainsAnyExcept(NameChars);

    private static readonly System.Buffers.SearchValues<char> NameChars = System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-");

    /// <summary>The key of a base and assignments, whatever their order.</summary>
    public static string Format(string baseArm, IEnumerable<(string Experiment, string Arm)> assignments)
    {
        var key = new StringBuilder(baseArm);
        foreach (var (experiment, arm) in assignments.OrderBy(a => a.Experiment, StringComparer.Ordinal))
            key.Append(Between).Append(experiment).Append(Is).Append(arm);
        return key.ToString();
    }

    /// <summary>The base: "learned" of "learned~mmr:wide".</summary>
    public static ReadOnlySpan<char> BaseOf(ReadOnlySpan<char> key)
    {
        var end = key.IndexOf(Between);
        return end < 0 ? key : key[..end];
    }

    /// <summary>The arm of one experiment; false where the key does not name it. <see cref="DefaultExperiment"/> asks for the base.</summary>
    public static bool TryArmOf(ReadOnlySpan<char> key, ReadOnlySpan<char> experiment, out ReadOnlySpan<char> arm)
    {
        arm = BaseOf(key);
        if (experiment.SequenceEqual(DefaultExperiment)) return true;
        var rest = key[arm.Length..];
        while (rest.Length > 0)
        {
            rest = rest[1..];
            var end = rest.IndexOf(Between);
            var part = end < 0 ? rest : rest[..end];
            var split = part.IndexOf(Is);
            if (split > 0 && part[..split].SequenceEqual(experiment))
            {
                arm = part[(split + 1)..];
                return true;
            }
            rest = rest[part.Length..];
        }
        arm = default;
        return false;
    }

    /// <summary>Every (experiment, arm) of a key, the base first under <see cref="DefaultExperiment"/>. For caches and reports: allocates.</summary>
    public static IReadOnlyList<(string Experiment, string Arm)> PartsOf(string key)
    {
        var parts = key.Split(Between);
        var all = new List<(string, string)>(parts.Length) { (DefaultExperiment, parts[0]) };
        foreach (var part in parts.AsSpan(1))
        {
            var split = part.IndexOf(Is);
            if (split > 0) all.Add((part[..split], part[(split + 1)..]));
        }
        return all;
    }
}
