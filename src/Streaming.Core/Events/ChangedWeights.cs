using System.Globalization;
using Streaming.Core.Wire;

namespace Streaming.Core.Events;

/// <summary>
/// Weights of actions that an operator has changed while the node runs: they stand in for <c>Users:ActionWeights</c>. A partition learns of them from its own
/// <c>tick</c>s, so that they count from a position of the log on, the same one whenever and wherever the log is read again.
/// </summary>
/// <param name="Version">Of the experiments' definitions that say so; 0 before any. A partition takes over newer ones only.</param>
/// <param name="Values">Type of action to weight, in ordinal order of the types; those not named have the settings' own.</param>
public sealed record ChangedWeights(long Version, IReadOnlyList<KeyValuePair<string, double>> Values)
{
    /// <summary>As many as a tick holds beside their version.</summary>
    public const int Max = EventLimits.ContextEntriesMax - 1;

    /// <summary>The settings' section, which comes before the type's name in a path.</summary>
    public const string Section = "Users:ActionWeights:";

    private const string VersionName = "version";

    /// <summary>Nothing is changed.</summary>
    public static ChangedWeights None { get; } = new(0, []);

    /// <summary>What a tick says of them; null where it says nothing, as those of nodes on which nobody has changed anything do.</summary>
    public static ChangedWeights? Of(UserEvent tick)
    {
        var version = 0L;
        List<KeyValuePair<string, double>>? values = null;
        foreach (var (name, text) in tick.Context)
        {
            if (name == VersionName) _ = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out version);
            else if (name.StartsWith(Section, StringComparison.Ordinal) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var weight) && double.IsFinite(weight))
                (values ??= []).Add(new(name[Section.Length..], weight));
        }
        return version > 0 ? new ChangedWeights(version, (IReadOnlyList<KeyValuePair<string, double>>?)values ?? []) : null;
    }

    /// <summary>A tick's context that says them.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ToContext() => Version == 0
        ? []
        : [new(VersionName, Version.ToString(CultureInfo.InvariantCulture)), .. Values.Select(v => KeyValuePair.Create(Section + v.Key, v.Value.ToString("R", CultureInfo.InvariantCulture)))];

    /// <summary>Whether the same actions have the same weights, whatever the version.</summary>
    public bool SaysTheSame(ChangedWeights other) => Values.SequenceEqual(other.Values);

    public void Write(ByteWriter into)
    {
        into.Int64(Version);
        into.Count(Values.Count);
        foreach (var (type, weight) in Values)
        {
            into.String(type);
            into.Double(weight);
        }
    }

    /// <exception cref="FormatException">Torn.</exception>
    public static ChangedWeights Read(ref ByteReader from)
    {
        var version = from.Int64();
        var values = new KeyValuePair<string, double>[from.Count(10)];
        for (var i = 0; i < values.Length; i++) values[i] = new(from.String() ?? "", from.Double());
        return new ChangedWeights(version, values);
    }
}
