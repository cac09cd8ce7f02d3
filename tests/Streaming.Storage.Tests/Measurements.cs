using System.Diagnostics;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Storage.Tests;

/// <summary>Throughput on this machine, by hand: dotnet exec Streaming.Storage.Tests.dll bench FOLDER.</summary>
internal static class Measurements
{
    public static async Task RunAsync(string folder)
    {
        foreach (var sync in (bool[])[false, true])
        {
            var path = Path.Combine(folder, $"log-{sync}");
            await using var log = new FasterEventLog(path, new LogSettings(), new StorageSettings { LogSync = sync }, TimeProvider.System);
            var batches = sync ? 1000 : 4000;
            await AppendAsync(log, sync, 1, batches);
            await AppendAsync(log, sync, 4, batches / 4);
            Read(log);
        }
    }

    private static async Task AppendAsync(FasterEventLog log, bool sync, int callers, int batches)
    {
        var entries = Enumerable.Range(0, 500).Select(i => new LogEntry(BitConverter.GetBytes(i), new byte[192], i, -1)).ToArray();
        await log.AppendAsync(Topics.Events, entries);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < batches; i++) await log.AppendAsync(Topics.Events, entries);
        })));
        var seconds = watch.Elapsed.TotalSeconds;
        Console.WriteLine($"append sync={sync} callers={callers}: {callers * batches / seconds:n0} batches/s of 500 x 200 bytes, {callers * batches * 500 / seconds:n0} records/s");
        watch.Restart();
        var single = entries.AsMemory(0, 1);
        for (var i = 0; i < batches; i++) await log.AppendAsync(Topics.Events, single);
        Console.WriteLine($"append sync={sync} one record a call: {batches / watch.Elapsed.TotalSeconds:n0} calls/s");
    }

    private static void Read(FasterEventLog log)
    {
        var batch = new LogBatch();
        var watch = Stopwatch.StartNew();
        long records = 0;
        for (var partition = 0; partition < log.PartitionCount(Topics.Events); partition++)
        {
            using var reader = log.OpenReader(Topics.Events, partition, 0);
            while (reader.Read(batch, 1000) is > 0 and var got) records += got;
        }
        Console.WriteLine($"read from disk: {records / watch.Elapsed.TotalSeconds:n0} records/s ({records:n0})");
    }
}
