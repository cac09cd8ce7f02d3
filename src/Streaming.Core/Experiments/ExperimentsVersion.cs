namespace Streaming.Core.Experiments;

/// <summary>
/// One version of all experiments: a record of the <c>experiments</c> topic, which is also the audit. It holds what was defined and
/// which buckets that came to, so that applying it needs nothing of what was before. A record counts where it is based on the version
/// in force when it is reached in the topic's order; else two writers met, and it is passed over by every node alike.
/// </summary>
public sealed record ExperimentsVersion
{
    /// <summary>Before the first change: nothing is defined.</summary>
    public static ExperimentsVersion None { get; } = new() { Version = 0, Definitions = new ExperimentDefinitions() };

    /// <summary>1 for the first; it is based on the one before. Also the ETag of the API.</summary>
    public required long Version { get; init; }

    /// <summary>When, Unix ms.</summary>
    public long ChangedMs { get; init; }

    /// <summary>Who, as they named themselves.</summary>
    public string ChangedBy { get; init; } = "";

    /// <summary>Why, in their words; may be empty.</summary>
    public string Why { get; init; } = "";

    /// <summary>What changed, one sentence each.</summary>
    public IReadOnlyList<string> Changes { get; init; } = [];

    public required ExperimentDefinitions Definitions { get; init; }

    /// <summary>Buckets of the domains; null without domains.</summary>
    public BucketTable? Domains { get; init; }

    /// <summary>Buckets by layer; layers in which nothing runs are left out.</summary>
    public IReadOnlyDictionary<string, BucketTable> Layers { get; init; } = new Dictionary<string, BucketTable>();

    /// <summary>The owner name of an arm in a layer's table.</summary>
    public static string Owner(string experiment, string arm) => $"{experiment}:{arm}";
}
