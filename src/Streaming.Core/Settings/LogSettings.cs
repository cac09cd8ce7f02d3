namespace Streaming.Core.Settings;

/// <summary>The event log, whichever implementation carries it.</summary>
public sealed record LogSettings
{
    /// <summary>"embedded" (FasterLog on disk) or "kafka".</summary>
    public string Kind { get; init; } = "embedded";

    /// <summary>Partitions of every topic but dead-letter and experiments, which have one. Fixed once data exists.</summary>
    public int Partitions { get; init; } = 4;

    /// <summary>Oldest data kept by size, MB per partition; 0 keeps all. Never cuts what a consumer group still needs.</summary>
    public int RetentionMbPerPartition { get; init; } = 4096;

    /// <summary>Oldest data kept by record time, hours; 0 keeps all.</summary>
    public int RetentionHours { get; init; } = 24 * 7;

    /// <summary>Largest record (key and value), bytes. The default fits a 4 MB page of the embedded log together with its framing.</summary>
    public int RecordBytesMax { get; init; } = (4 << 20) - 4096;

    public void Validate(SettingsProblems problems)
    {
        if (Kind is not ("embedded" or "kafka")) problems.Add("Log:Kind", $"is '{Kind}'; allowed are 'embedded' and 'kafka'");
        problems.InRange("Log:Partitions", Partitions, 1, 4096);
        problems.InRange("Log:RetentionMbPerPartition", RetentionMbPerPartition, 0, 1 << 24);
        problems.InRange("Log:RetentionHours", RetentionHours, 0, 24 * 3650);
        problems.InRange("Log:RecordBytesMax", RecordBytesMax, 1 << 16, 64 << 20);
    }
}
