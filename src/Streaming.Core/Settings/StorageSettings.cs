using System.Numerics;

namespace Streaming.Core.Settings;

/// <summary>What the node keeps on its own disk: the embedded log, the users' state and the cache of lists.</summary>
public sealed record StorageSettings
{
    /// <summary>Pages of the embedded log are at least this large, KB, a power of two; larger where <see cref="LogSettings.RecordBytesMax"/> asks for it.</summary>
    public int LogPageKb { get; init; } = 1024;

    /// <summary>Write buffer of an open partition, MB, a power of two; at least two pages are taken.</summary>
    public int LogMemoryMbPerPartition { get; init; } = 8;

    /// <summary>Size of a file of the log, MB, a power of two: retention removes whole files.</summary>
    public int LogSegmentMb { get; init; } = 64;

    /// <summary>A read stops after this much, MB, however many records were asked for.</summary>
    public int LogReadMbMax { get; init; } = 16;

    /// <summary>Pause between two looks at what retention may remove, seconds.</summary>
    public int LogRetentionIntervalSeconds { get; init; } = 60;

    /// <summary>
    /// Wait for the disk itself (fdatasync) before an append is acknowledged: survives a power cut. Without it an append survives the
    /// end of the process, kill -9 included, as with Kafka's default.
    /// </summary>
    public bool LogSync { get; init; }

    /// <summary>
    /// Below this much free space, MB, no new events are taken, until there is more: what was taken before is still worked off, and
    /// look-ups go on. 0 does not look; a full disk then ends the node, which goes on from its last checkpoint when it is started again.
    /// </summary>
    public int FreeMbMin { get; init; } = 512;

    /// <summary>The store of users' state.</summary>
    public HybridStoreSettings State { get; init; } = new();

    /// <summary>The cache of ranked lists.</summary>
    public HybridStoreSettings Cache { get; init; } = new() { IndexMb = 32, CompactAtMb = 2048 };

    /// <summary>Lists kept per user over all surfaces and arms; the one put longest ago goes first.</summary>
    public int FeedListsPerUserMax { get; init; } = 16;

    public void Validate(SettingsProblems problems)
    {
        HybridStoreSettings.PowerOfTwo(problems, "Storage:LogPageKb", LogPageKb, 64, 1 << 16);
        HybridStoreSettings.PowerOfTwo(problems, "Storage:LogMemoryMbPerPartition", LogMemoryMbPerPartition, 1, 1024);
        HybridStoreSettings.PowerOfTwo(problems, "Storage:LogSegmentMb", LogSegmentMb, 1, 1024);
        problems.InRange("Storage:LogReadMbMax", LogReadMbMax, 1, 1024);
        problems.InRange("Storage:LogRetentionIntervalSeconds", LogRetentionIntervalSeconds, 1, 86_400);
        problems.InRange("Storage:FreeMbMin", FreeMbMin, 0, 1 << 24);
        problems.InRange("Storage:FeedListsPerUserMax", FeedListsPerUserMax, 1, 1024);
        State.Validate(problems, "Storage:State");
        Cache.Validate(problems, "Storage:Cache");
    }
}

/// <summary>A hash table in memory over a log that is partly in memory and partly on disk.</summary>
public sealed record HybridStoreSettings
{
    /// <summary>Part of the log that stays in memory, MB, a power of two.</summary>
    public int MemoryMb { get; init; } = 128;

    /// <summary>The hash table, MB, a power of two: 64 bytes a bucket of seven entries.</summary>
    public int IndexMb { get; init; } = 64;

    /// <summary>Page, KB, a power of two: the largest record is a little smaller.</summary>
    public int PageKb { get; init; } = 1024;

    /// <summary>Size of a file of the log, MB, a power of two.</summary>
    public int SegmentMb { get; init; } = 64;

    /// <summary>Compaction starts when the log is larger than this, MB, and than twice what the last compaction found alive.</summary>
    public int CompactAtMb { get; init; } = 4096;

    /// <summary>Most that one checkpoint compacts, MB: bounds its pause. Twice what was written since the checkpoint before, where that is more.</summary>
    public int CompactMbMax { get; init; } = 512;

    /// <summary>The hash table is written anew when the log has grown by this much, MB; recovery replays no more than that.</summary>
    public int IndexCheckpointMb { get; init; } = 64;

    public void Validate(SettingsProblems problems, string path)
    {
        PowerOfTwo(problems, $"{path}:MemoryMb", MemoryMb, 4, 1 << 20);
        PowerOfTwo(problems, $"{path}:IndexMb", IndexMb, 1, 1 << 16);
        PowerOfTwo(problems, $"{path}:PageKb", PageKb, 64, 1 << 16);
        PowerOfTwo(problems, $"{path}:SegmentMb", SegmentMb, 1, 1024);
        problems.InRange($"{path}:CompactAtMb", CompactAtMb, 1, 1 << 24);
        problems.InRange($"{path}:CompactMbMax", CompactMbMax, 1, 1 << 24);
        problems.InRange($"{path}:IndexCheckpointMb", IndexCheckpointMb, 1, 1 << 24);
        if ((long)PageKb * 4 > (long)MemoryMb * 1024) problems.Add($"{path}:PageKb", $"is {PageKb}; four pages must fit the {MemoryMb} MB of {path}:MemoryMb");
        if (PageKb > SegmentMb * 1024) problems.Add($"{path}:PageKb", $"is {PageKb}; a page must fit the {SegmentMb} MB of {path}:SegmentMb");
    }

    internal static void PowerOfTwo(SettingsProblems problems, string path, int value, int min, int max)
    {
        if (problems.InRange(path, value, min, max) && !BitOperations.IsPow2(value)) problems.Add(path, $"is {value}; it must be a power of two");
    }
}
