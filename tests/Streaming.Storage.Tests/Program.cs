using System.Text;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Storage.Tests;

/// <summary>What this assembly does when it is started instead of tested: the process that the kill tests kill.</summary>
public static class Program
{
    public const int Appenders = 3, RecordsPerBatch = 20;

    public static readonly LogSettings Log = new() { Partitions = Appenders, RecordBytesMax = 1 << 16, RetentionHours = 0 };
    public static readonly StorageSettings Storage = new() { LogPageKb = 128, LogMemoryMbPerPartition = 1, LogSegmentMb = 1 };

    public static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case ["append-for-ever", var folder]:
                await AppendForEverAsync(folder);
                return 0;
            case ["checkpoint-for-ever", var folder]:
                await CheckpointForEverAsync(folder);
                return 0;
            case ["bench", var folder]:
                await Measurements.RunAsync(folder);
                return 0;
            default:
                await Console.Error.WriteLineAsync("append-for-ever FOLDER | checkpoint-for-ever FOLDER | bench FOLDER");
                return 1;
        }
    }

    /// <summary>
    /// Each appender writes numbered records to its own partition; a line "partition number offset." follows every
    /// acknowledgement: the last record acknowledged, and its offset, which is also the position stored for the group of that appender.
    /// </summary>
    private static async Task AppendForEverAsync(string folder)
    {
        await using var log = new FasterEventLog(folder, Log, Storage, TimeProvider.System);
        var output = Console.Out;
        await Task.WhenAll(Enumerable.Range(0, Appenders).Select(partition => Task.Run(async () =>
        {
            for (long next = 0; ; next += RecordsPerBatch)
            {
                var entries = Enumerable.Range(0, RecordsPerBatch)
                    .Select(i => new LogEntry(Encoding.UTF8.GetBytes($"user {partition}"), Encoding.UTF8.GetBytes($"{next + i} {new string('x', (int)(next + i) % 700)}"), next + i, partition)).ToArray();
                var positions = await log.AppendAsync(Topics.Events, entries);
                await log.CommitAsync($"group {partition}", Topics.Events, [positions[^1]]);
                lock (output)
                {
                    output.WriteLine($"{partition} {next + RecordsPerBatch - 1} {positions[^1].Offset}.");
                    output.Flush();
                }
            }
        })));
    }

    public const int Keys = 80;

    public static byte[] Key(int i) => Encoding.UTF8.GetBytes($"user-{i}");

    public static byte[] Value(int i, int round)
    {
        var value = new byte[500 + (i * 7919 + round * 104_729) % 39_000];
        new Random(i * 1000 + round).NextBytes(value);
        return value;
    }

    /// <summary>Rewrites all keys and takes a checkpoint, again and again, keeping the last two; a line "token round." follows each.</summary>
    private static async Task CheckpointForEverAsync(string folder)
    {
        using var store = new FasterStateStore(folder, FasterStateStoreContractTests.Small);
        using var session = store.OpenSession();
        var before = "";
        for (var round = 0; ; round++)
        {
            for (var i = 0; i < Keys; i++) session.Upsert(Key(i), Value(i, round));
            var token = await store.CheckpointAsync();
            Console.WriteLine($"{token} {round}.");
            store.Prune([before, token]);
            before = token;
        }
    }
}
