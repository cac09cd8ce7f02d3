using System.Numerics;
using System.Text.Json;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Storage.Log;

/// <summary>
/// What is fixed once the log holds data: <c>log.json</c> in its folder. Offsets are FASTER's addresses and depend on the page size;
/// keys are spread by the number of partitions.
/// </summary>
internal sealed record LogManifest(int Version, int Partitions, int PageBytes, int SegmentBytes)
{
    public const string FileName = "log.json";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <exception cref="EventLogException">The folder was written with another number of partitions, or cannot take records this large.</exception>
    public static LogManifest OpenOrCreate(string folder, LogSettings log, StorageSettings storage)
    {
        var path = Path.Combine(folder, FileName);
        var needed = (int)BitOperations.RoundUpToPowerOf2((uint)(log.RecordBytesMax + LogRecord.FramingBytesMax));
        if (!File.Exists(path))
        {
            var page = Math.Max(storage.LogPageKb << 10, needed);
            var created = new LogManifest(1, log.Partitions, page, Math.Max(storage.LogSegmentMb << 20, page));
            AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(created, Json), storage.LogSync);
            return created;
        }
        var found = Read(path);
        if (found.Partitions != log.Partitions)
            throw new EventLogException(
                $"The event log in '{folder}' has {found.Partitions} partitions; Log:Partitions is {log.Partitions}. Set Log:Partitions to {found.Partitions}, "
                + "or choose another folder and replay the events into it.");
        if (found.PageBytes < needed)
            throw new EventLogException(
                $"The event log in '{folder}' takes records up to {found.PageBytes - LogRecord.FramingBytesMax} bytes; Log:RecordBytesMax is {log.RecordBytesMax}. "
                + "Lower it, or choose another folder.");
        return found;
    }

    public static LogManifest Read(string path)
    {
        try
        {
            var found = JsonSerializer.Deserialize<LogManifest>(File.ReadAllBytes(path), Json);
            if (found is null || found.Version != 1)
                throw new EventLogException($"'{path}' has version {found?.Version}; this build reads 1. Was it written by a newer build?");
            if (found.Partitions < 1 || !BitOperations.IsPow2(found.PageBytes) || !BitOperations.IsPow2(found.SegmentBytes) || found.SegmentBytes < found.PageBytes)
                throw new EventLogException($"'{path}' is damaged. Restore it, or choose another folder.");
            return found;
        }
        catch (JsonException e)
        {
            throw new EventLogException($"'{path}' is damaged ({e.Message}). Restore it, or choose another folder.", e);
        }
    }
}
