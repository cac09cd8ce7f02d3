using Streaming.Core.Settings;

namespace Streaming.Storage.Tests;

public sealed class StorageSettingsTests
{
    [Fact]
    public void The_defaults_are_sound() => new StreamingSettings().Validate().ShouldBeEmpty();

    [Fact]
    public void Each_bad_key_is_named()
    {
        var settings = new StreamingSettings
        {
            Storage = new StorageSettings
            {
                LogPageKb = 1000, LogMemoryMbPerPartition = 0, LogSegmentMb = 3, LogReadMbMax = 0, LogRetentionIntervalSeconds = 0, FeedListsPerUserMax = 0,
                State = new HybridStoreSettings { MemoryMb = 5, IndexMb = 0, CompactAtMb = 0, CompactMbMax = 0, IndexCheckpointMb = 0 },
                Cache = new HybridStoreSettings { PageKb = 4096, MemoryMb = 8, SegmentMb = 1 },
            },
        };
        var keys = settings.Validate().Select(problem => problem[..problem.IndexOf(": ", StringComparison.Ordinal)]).Distinct();
        keys.ShouldBe(
            [
                "Storage:LogPageKb", "Storage:LogMemoryMbPerPartition", "Storage:LogSegmentMb", "Storage:LogReadMbMax", "Storage:LogRetentionIntervalSeconds",
                "Storage:FeedListsPerUserMax", "Storage:State:MemoryMb", "Storage:State:IndexMb", "Storage:State:CompactAtMb", "Storage:State:CompactMbMax",
                "Storage:State:IndexCheckpointMb", "Storage:Cache:PageKb",
            ], ignoreOrder: true);
    }
}
