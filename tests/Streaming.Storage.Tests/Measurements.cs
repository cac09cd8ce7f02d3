using System.Diagnostics;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

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
        await OpenAllAsync(Path.Combine(folder, "log-all"));
        Cache(Path.Combine(folder, "cache"));
        await StateAsync(Path.Combine(folder, "state"));
    }

    private static async Task OpenAllAsync(string folder)
    {
        var before = Environment.WorkingSet;
        await using var log = new FasterEventLog(folder, new LogSettings(), new StorageSettings(), TimeProvider.System);
        foreach (var topic in Topics.All)
            for (var partition = 0; partition < log.PartitionCount(topic); partition++)
                for (var i = 0; i < 20; i++) await log.AppendAsync(topic, new[] { new LogEntry(new byte[8], new byte[1 << 20], 0, partition) });
        Console.WriteLine($"memory of all topics open, 20 MB through each partition: {(Environment.WorkingSet - before) >> 20} MB more");
    }

    private static void Cache(string folder)
    {
        const int users = 10_000, gets = 1_000_000;
        using var cache = new FasterFeedCache(folder, new StorageSettings(), (_, into) => into.Raw(new byte[6000]));
        var names = Enumerable.Range(0, users).Select(i => $"user-{i}").ToArray();
        var watch = Stopwatch.StartNew();
        foreach (var name in names) cache.Put(List(name));
        Console.WriteLine($"cache: {users / watch.Elapsed.TotalSeconds:n0} puts/s of 6,000 bytes");
        var into = new ByteWriter(8192);
        for (var warm = 0; warm < 2; warm++)
        {
            watch.Restart();
            for (var i = 0; i < gets; i++)
            {
                into.Clear();
                if (!cache.TryGet(names[(int)(i * 7919L % users)], "home", "a", into)) throw new InvalidOperationException("a list is gone");
            }
        }
        Console.WriteLine($"cache: {gets / watch.Elapsed.TotalSeconds:n0} gets/s of 6,000 bytes, one thread, {users:n0} users in memory");
    }

    private static FeedList List(string user) =>
        new() { User = user, Surface = "home", Arm = "a", Version = 1, BuiltMs = 1, LastEventMs = 1, LastApplied = new LogPosition(0, 1), Models = "", Entries = [] };

    private static async Task StateAsync(string folder)
    {
        const int users = 100_000;
        using var store = new FasterStateStore(folder, new HybridStoreSettings());
        using var session = store.OpenSession();
        var keys = Enumerable.Range(0, users).Select(i => System.Text.Encoding.UTF8.GetBytes($"user-{i}")).ToArray();
        var value = new byte[4000];
        var watch = Stopwatch.StartNew();
        foreach (var key in keys) session.Upsert(key, value);
        Console.WriteLine($"state: {users / watch.Elapsed.TotalSeconds:n0} upserts/s of 4,000 bytes, 400 MB over 128 MB of memory");
        watch.Restart();
        var token = await store.CheckpointAsync();
        Console.WriteLine($"state: first checkpoint {watch.ElapsedMilliseconds} ms");
        var into = new ByteWriter(8192);
        watch.Restart();
        for (var i = 0; i < users; i++)
        {
            into.Clear();
            session.TryRead(keys[i * 7919L % users], into);
        }
        Console.WriteLine($"state: {users / watch.Elapsed.TotalSeconds:n0} random reads/s, two thirds of them from the disk");
        for (var i = 0; i < 1000; i++) session.Upsert(keys[i], value);
        watch.Restart();
        token = await store.CheckpointAsync();
        Console.WriteLine($"state: checkpoint of 1,000 changed users {watch.ElapsedMilliseconds} ms");
        session.Dispose();
        store.Dispose();
        watch.Restart();
        using var again = new FasterStateStore(folder, new HybridStoreSettings());
        await again.RecoverAsync(token);
        Console.WriteLine($"state: recovery of {users:n0} users {watch.ElapsedMilliseconds} ms");
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
