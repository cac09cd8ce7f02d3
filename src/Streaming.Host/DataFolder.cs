using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Kafka;
using Streaming.Node;
using Streaming.Storage;

namespace Streaming.Host;

/// <summary>What every process that works on a log opens first: its folder, and the log.</summary>
internal static class DataFolder
{
    /// <summary>Two processes in one folder would corrupt it; the lock goes with the process, however it ends.</summary>
    /// <exception cref="IOException">The folder cannot be used, or another process uses it; the message says what to do.</exception>
    public static IDisposable Lock(string dataDir)
    {
        var folder = Path.GetFullPath(dataDir);
        var path = Path.Combine(folder, "lock");
        try
        {
            Directory.CreateDirectory(folder);
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
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

    /// <summary>The log that the settings name.</summary>
    /// <exception cref="EventLogException">It cannot be opened; the message says what to do.</exception>
    public static IEventLog OpenLog(StreamingSettings settings, string dataDir, Action<NodeNotice> notice)
    {
        if (settings.Log.Kind == "embedded")
            return new FasterEventLog(Path.Combine(dataDir, "log"), settings.Log, settings.Storage, TimeProvider.System);
        if (settings.Kafka.Bootstrap.Length == 0)
            throw new EventLogException("Log:Kind is 'kafka' but there is no address; give --kafka HOST:PORT, KAFKA_BOOTSTRAP or Kafka:Bootstrap");
        return new KafkaEventLog(settings.Kafka, settings.Log, TimeProvider.System, problem => notice(new NodeNotice(NoticeLevel.Warning, problem)),
            settings.Kafka.IsShared ? $"{Environment.MachineName}-{Guid.NewGuid():N}" : "");
    }
}
