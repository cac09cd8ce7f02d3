using System.Net;
using Streaming.Actors;
using Streaming.Akka;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
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
    /// <param name="settings">Validated.</param>
    /// <param name="dataDir">Folder of log, state and checkpoints.</param>
    /// <param name="notice">Receives what an operator should know.</param>
    /// <param name="cancel">Stops the opening.</param>
    /// <param name="isReplay">Whether deep models learn within the rounds.</param>
    public static async Task<RunningNode> OpenAsync(
        StreamingSettings settings, string dataDir, Action<NodeNotice> notice, CancellationToken cancel = default, bool isReplay = false)
    {
        settings = Advertised(settings);
        var running = new RunningNode(settings, dataDir);
        try
        {
            running.Own(DataFolder.Lock(dataDir));
            var log = running.Own(DataFolder.OpenLog(settings, dataDir, notice));
            var users = running.Own(new FasterStateStore(Path.Combine(dataDir, "users"), settings.Storage.State));
            var feeds = running.Own(new FasterFeedCache(Path.Combine(dataDir, "feeds"), settings.Storage, FeedListCodec.Write));
            running.Node = running.Own(await StreamingNode.OpenAsync(
                new NodeParts
                {
                    Settings = settings, Log = log, Users = users, Feeds = feeds,
                    UserHost = settings.Node.Actors == "akka" ? OnAkka(settings, notice) : null,
                    CheckpointDir = Path.Combine(dataDir, "checkpoints"), DeletionsDir = Path.Combine(dataDir, "deletions"), Notice = notice, LearnsDeepInRounds = isReplay, FreeBytes = FreeBytesOf(dataDir),
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

    /// <summary>Where others reach this node, unless the settings say: at its own address, by the machine's name where it listens on all of them.</summary>
    private static StreamingSettings Advertised(StreamingSettings settings)
    {
        if (!settings.Kafka.IsShared) return settings;
        var node = settings.Node;
        return settings with { Node = node with { Advertise = AddressOf(node.Advertise, settings.Serving.Listen), AdvertiseAdmin = AddressOf(node.AdvertiseAdmin, settings.Serving.AdminListen) } };

        string AddressOf(string said, string listen)
        {
            if (said.Length > 0 || listen.Length == 0) return said;
            var (at, scheme) = (IPEndPoint.Parse(listen), settings.Security.TlsCertificate.Length > 0 ? "https" : "http");
            var everywhere = at.Address.Equals(IPAddress.Any) || at.Address.Equals(IPAddress.IPv6Any);
            return everywhere ? $"{scheme}://{Dns.GetHostName()}:{at.Port}" : $"{scheme}://{at}";
        }
    }

    private static Func<UserHostParts, CancellationToken, Task<IShardHost>> OnAkka(StreamingSettings settings, Action<NodeNotice> notice) => (parts, cancel) => AkkaHost.StartShardsAsync(
        new AkkaHostOptions
        {
            Partitions = parts.Partitions, Dimension = parts.Dimension, MailboxRecordsMax = parts.MailboxRecordsMax, Hocon = AkkaHost.HoconOf(settings.Node.Hocon),
            Warned = what => notice(new NodeNotice(NoticeLevel.Warning, what)),
            Removed = why => notice(new NodeNotice(NoticeLevel.Error, why)),
        },
        parts.ShardOf, cancel);

    /// <summary>Opens the log of a node that does not run, and only that.</summary>
    /// <inheritdoc cref="OpenAsync"/>
    public static async Task<T> WithLogAsync<T>(StreamingSettings settings, string dataDir, Func<IEventLog, Task<T>> work)
    {
        if (settings.Log.Kind == "embedded" && !Directory.Exists(Path.Combine(dataDir, "log")))
            throw new IOException($"there is no log in {Path.GetFullPath(dataDir)}; give the --data-dir of a node that has run");
        await using var running = new RunningNode(settings, dataDir);
        if (settings.Log.Kind == "embedded") running.Own(DataFolder.Lock(dataDir));
        return await work(running.Own(DataFolder.OpenLog(settings, dataDir, notice => Console.Error.WriteLine(notice.Message)))).ConfigureAwait(false);
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
