using System.Text;
using Streaming.Core.Settings;
using Streaming.Node;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>A small node in a folder of its own that goes with it.</summary>
internal sealed class FuzzNode : IAsyncDisposable
{
    private static readonly HybridStoreSettings Store = new() { MemoryMb = 4, IndexMb = 1, PageKb = 64, SegmentMb = 1 };

    private readonly DirectoryInfo _folder;
    private readonly RunningNode _running;

    private FuzzNode(DirectoryInfo folder, RunningNode running) => (_folder, _running) = (folder, running);

    public StreamingSettings Settings => _running.Settings;

    public StreamingNode Node => _running.Node;

    public static async Task<FuzzNode> OpenAsync()
    {
        var folder = Directory.CreateTempSubdirectory("streaming-fuzz-");
        var settings = new StreamingSettings
        {
            Node = new NodeSettings { DataDir = folder.FullName, TickIntervalMs = 100 },
            Log = new LogSettings { Partitions = 2 },
            Storage = new StorageSettings { LogMemoryMbPerPartition = 8, State = Store, Cache = Store, FreeMbMin = 0 },
            Learning = new LearningSettings { FtrlBits = 10, EmbeddingDim = 2 },
            Serving = new ServingSettings { Listen = "127.0.0.1:0", FreshnessWaitMsMax = 20, RequestBytesMax = 1 << 20 },
        }.Resolved();
        return new FuzzNode(folder, await RunningNode.OpenAsync(settings, folder.FullName, _ => { }).ConfigureAwait(false));
    }

    /// <summary>Takes in a few hundred events, and stops.</summary>
    public async Task LearnAsync()
    {
        var traffic = new BenchTraffic(users: 20, items: 30, seed: 1);
        await Node.Ingest.ItemsAsync([.. traffic.Items(1_700_000_000_000)]).ConfigureAwait(false);
        await Node.Ingest.EventsAsync(traffic.Events(300)).ConfigureAwait(false);
        await Node.Ingest.EventsAsync([.. Enumerable.Range(0, 20).Select(u => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes($$"""{"type":"click","user":"user-{{u}}","item":"item-{{u}}","surface":"home"}"""))]).ConfigureAwait(false);
        await Node.RunAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _running.DisposeAsync().ConfigureAwait(false);
        _folder.Delete(recursive: true);
    }
}
