using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Suites;

namespace Streaming.Storage.Tests;

public sealed class FasterEventLogContractTests : EventLogSuite
{
    private readonly TempFolder _folder = new();

    protected override Task<IEventLog> OpenAsync(LogSettings settings) =>
        Task.FromResult<IEventLog>(new FasterEventLog(_folder.Path, settings, new StorageSettings { LogPageKb = 128, LogMemoryMbPerPartition = 1, LogSegmentMb = 1 }, TimeProvider.System));

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }
}
