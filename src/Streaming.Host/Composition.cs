using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Kafka;
using Streaming.Node;
using Streaming.Storage;

namespace Streaming.Host;

/// <summary>The composition root: picks the adapters that the settings name and opens a node on them.</summary>
internal sealed class RunningNode : IAsyncDisposable
{
    private readonly List<object> _owned = [];

    private RunningNode(StreamingSettings settings, string dataDir)
    {
        Settings = settings;
        DataDir = dataDir;
    }

    public StreamingSettings Settings { get; }
    public string DataDir { get; }
    public StreamingNode Node { get; private set; } = null!;

    /// <summary>Opens log, stores and node; on failure everything opened so far is closed again.</summary>
    /// <exception cref="EventLogException">The log cannot be opened; the message says what to do.</exception>
    /// <exception cref="IOException">The data folder cannot be used, or another node uses it.</exception>
    public static async Task<RunningNode> OpenAsync(StreamingSettings settings, string dataDir, Action<NodeNotice> notice, CancellationToken cancel = default)
    {
        var running = new RunningNode(settings, dataDir);
        try
        {
            running.Lock();
            var log = running.Own(OpenLog(settings, dataDir, notice));
            var users = running.Own(new FasterStateStore(Path.Combine(dataDir, "users"), settings.Storage.State));
            var feeds = running.Own(new FasterFeedCache(Path.Combine(dataDir, "feeds"), settings.Storage, FeedListCodec.Write));
            running.Node = running.Own(await StreamingNode.OpenAsync(
                new NodeParts
                {
                    Settings = settings, Log = log, Users = users, Feeds = feeds,
                    CheckpointDir = Path.Combine(dataDir, "checkpoints"), Notice = notice, FreeBytes = FreeBytesOf(dataDir),
                },
                cancel).ConfigureAwait(false));
            return running;
        }
        catch
        {
            await running.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        for (var i = _owned.Count - 1; i >= 0; i--)
        {
            if (_owned[i] is IAsyncDisposable later) await later.DisposeAsync().ConfigureAwait(false);
            else ((IDisposable)_owned[i]).Dispose();
        }
        _owned.Clear();
    }

    private static IEventLog OpenLog(StreamingSettings settings, string dataDir, Action<NodeNotice> notice)
    {
        if (settings.Log.Kind == "embedded")
            return new FasterEventLog(Path.Combine(dataDir, "log"), settings.Log, settings.Storage, TimeProvider.System);
        if (settings.Kafka.Bootstrap.Length == 0)
            throw new EventLogException("Log:Kind is 'kafka' but there is no address; give --kafka HOST:PORT, KAFKA_BOOTSTRAP or Kafka:Bootstrap");
        return new KafkaEventLog(settings.Kafka, settings.Log, TimeProvider.System, problem => notice(new NodeNotice(NoticeLevel.Warning, problem)));
    }

    /// <summary>Two nodes on one folder would corrupt it; the lock goes with the process, however it ends.</summary>
    private void Lock()
    {
        var folder = Path.GetFullPath(DataDir);
        var path = Path.Combine(folder, "lock");
        try
        {
            Directory.CreateDirectory(folder);
            Own(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException problem) when (File.Exists(path))
        {
            throw new IOException($"another node uses {folder}; stop it, or give another --data-dir", problem);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"the data folder {folder} cannot be used: {problem.Message} Make it writable, or give another --data-dir", problem);
        }
    }

    /// <summary>The free space of the file system that holds a folder, as an unprivileged user sees it.</summary>
    private static Func<long> FreeBytesOf(string folder)
    {
        var drive = new DriveInfo(Path.GetFullPath(folder));
        return () => drive.AvailableFreeSpace;
    }

    private T Own<T>(T thing) where T : class
    {
        _owned.Add(thing);
        return thing;
    }
}
