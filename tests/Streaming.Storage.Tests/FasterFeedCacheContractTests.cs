using Streaming.Core.Feeds;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Suites;

namespace Streaming.Storage.Tests;

public sealed class FasterFeedCacheContractTests : FeedCacheSuite
{
    private readonly TempFolder _folder = new();

    protected override IFeedCache Open(Action<FeedList, ByteWriter> encode) =>
        new FasterFeedCache(_folder.Path, new StorageSettings { Cache = FasterStateStoreContractTests.Small, FeedListsPerUserMax = ListsPerUserMax }, encode);

    public override void Dispose()
    {
        base.Dispose();
        _folder.Dispose();
    }
}
