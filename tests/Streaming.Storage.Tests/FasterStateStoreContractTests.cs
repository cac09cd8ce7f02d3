using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Suites;

namespace Streaming.Storage.Tests;

public sealed class FasterStateStoreContractTests : StateStoreSuite
{
    public static readonly HybridStoreSettings Small = new() { MemoryMb = 4, IndexMb = 1, PageKb = 128, SegmentMb = 1, CompactAtMb = 8, CompactMbMax = 4, IndexCheckpointMb = 4 };

    private readonly TempFolder _folder = new();

    protected override IStateStore Open() => new FasterStateStore(_folder.Path, Small);

    protected override IEnumerable<string> CheckpointFiles() => Directory.EnumerateFiles(_folder.Sub("checkpoints"), "*", SearchOption.AllDirectories);

    public override void Dispose()
    {
        base.Dispose();
        _folder.Dispose();
    }
}
