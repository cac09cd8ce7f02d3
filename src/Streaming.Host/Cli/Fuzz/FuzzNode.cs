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
        var settings = SettingsOf(folder.FullName);
        return new FuzzNode(folder, await RunningNode.OpenAsync(settings, folder.FullName, _ => { }).ConfigureAwait(false));
    }

    /// <summary>Small in everything.</summary>
    public static StreamingSettings SettingsOf(string folder) => new StreamingSettings
    {
        Node = new NodeSettings { DataDir = folder, TickIntervalMs = 100 },
        Log = new LogSettings { Partitions = 2 },
        Storage = new StorageSettings { LogMemoryMbPerPartition = 8, State = Store, Cache = Store, FreeMbMin = 0 },
        Learning = new LearningSettings { FtrlBits = 10, EmbeddingDim = 2 },
        Serving = new ServingSettings { Listen = "127.0.0.1:0", FreshnessWaitMsMax = 20, RequestBytesMax = 1 << 20 },
    }.Resolved();

    public async ValueTask DisposeAsync()
    {
        await _running.DisposeAsync().ConfigureAwait(false);
        _folder.Delete(recursive: true);
    }
}
