using System.Runtime.InteropServices;
using System.Text;
using FASTER.core;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Storage.State;
using LogSettings = Streaming.Core.Settings.LogSettings;

namespace Streaming.Storage.Tests;

/// <summary>Overwriting for good: what is named goes from every byte of the files, and nothing else changes.</summary>
public sealed class ErasureTests : IDisposable
{
    private static readonly LogSettings Log = new() { Partitions = 1, RecordBytesMax = 1 << 16, RetentionHours = 0, RetentionMbPerPartition = 0 };
    private static readonly StorageSettings Storage = new() { LogPageKb = 128, LogMemoryMbPerPartition = 1, LogSegmentMb = 1 };
    private static readonly HybridStoreSettings Small = new() { MemoryMb = 4, IndexMb = 1, PageKb = 64, SegmentMb = 1 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Erased_records_of_the_log_are_gaps_and_the_others_stay_where_they_are()
    {
        var kept = new List<(long Offset, string Text)>();
        await using (var log = new FasterEventLog(_folder.Path, Log, Storage, TimeProvider.System))
        {
            // More than one segment, and the last records in the write buffer.
            for (var batch = 0; batch < 60; batch++)
            {
                var entries = Enumerable.Range(batch * 40, 40).Select(i => Entry(i % 7 == 3 ? "the-erased-one" : $"user-{i % 50}", i)).ToArray();
                var positions = await log.AppendAsync(Topics.Events, entries);
                for (var i = 0; i < entries.Length; i++)
                    if (Text(entries[i].Key) != "the-erased-one") kept.Add((positions[i].Offset, Text(entries[i].Value)));
            }
            FilesThatHold("the-erased-one").Count.ShouldBeGreaterThan(1);
            var end = (await log.RangeAsync(Topics.Events, 0)).End;
            var erased = 0;
            (await log.EraseAsync(Topics.Events, 0, end, (batch, i) => Text(batch.Key(i)) == "the-erased-one" && erased++ >= 0, mayFill: true)).ShouldBeTrue();
            erased.ShouldBe(343);
            FilesThatHold("the-erased-one").ShouldBeEmpty();
            // And appends go on, after the last record as before.
            var more = await log.AppendAsync(Topics.Events, new[] { Entry("user-1", 5000) });
            kept.Add((more[0].Offset, Text(Entry("user-1", 5000).Value)));
            FilesThatHold("the-erased-one").ShouldBeEmpty();
        }
        await using var again = new FasterEventLog(_folder.Path, Log, Storage, TimeProvider.System);
        ReadAll(again).ShouldBe(kept);
        FilesThatHold("the-erased-one").ShouldBeEmpty();
    }

    [Fact]
    public async Task What_a_group_has_yet_to_read_is_not_erased_from_the_log()
    {
        await using var log = new FasterEventLog(_folder.Path, Log, Storage, TimeProvider.System);
        var positions = await log.AppendAsync(Topics.Events, Enumerable.Range(0, 100).Select(i => Entry("somebody", i)).ToArray());
        var end = (await log.RangeAsync(Topics.Events, 0)).End;
        await log.CommitAsync("reader", Topics.Events, [positions[50]]);
        (await log.EraseAsync(Topics.Events, 0, end, (_, _) => true, mayFill: true)).ShouldBeFalse();
        ReadAll(log).Select(r => r.Offset).ShouldBe(positions.Skip(50).Select(p => p.Offset));
        await log.CommitAsync("reader", Topics.Events, [new LogPosition(0, end)]);
        (await log.EraseAsync(Topics.Events, 0, end, (_, _) => true, mayFill: true)).ShouldBeTrue();
        ReadAll(log).ShouldBeEmpty();
    }

    [Fact]
    public async Task Without_leave_to_fill_the_last_records_wait_for_others_and_no_offset_moves()
    {
        await using var log = new FasterEventLog(_folder.Path, Log, Storage, TimeProvider.System);
        await log.AppendAsync(Topics.Events, Enumerable.Range(0, 20).Select(i => Entry("somebody", i * 31 % 60)).ToArray());
        var end = (await log.RangeAsync(Topics.Events, 0)).End;
        (await log.EraseAsync(Topics.Events, 0, end, (_, _) => true, mayFill: false)).ShouldBeFalse();
        (await log.RangeAsync(Topics.Events, 0)).End.ShouldBe(end);
        var next = await log.AppendAsync(Topics.Events, Enumerable.Range(0, 20).Select(i => Entry("another", i)).ToArray());
        next[0].Offset.ShouldBe(end);
        (await log.EraseAsync(Topics.Events, 0, end, (_, _) => true, mayFill: false)).ShouldBeTrue();
        ReadAll(log).Select(r => r.Offset).ShouldBe(next.Select(p => p.Offset));
    }

    [Fact]
    public async Task A_rewrite_that_was_cut_short_changes_nothing_and_leaves_nothing()
    {
        await using (var log = new FasterEventLog(_folder.Path, Log, Storage, TimeProvider.System))
            await log.AppendAsync(Topics.Events, new[] { Entry("somebody", 1) });
        var left = Path.Combine(_folder.Path, "events", "0", "segment.0.rewritten");
        await File.WriteAllTextAsync(left, "half of it");
        await using var again = new FasterEventLog(_folder.Path, Log, Storage, TimeProvider.System);
        ReadAll(again).Count.ShouldBe(1);
        File.Exists(left).ShouldBeFalse();
    }

    [Fact]
    public async Task A_deleted_user_leaves_the_files_of_a_store_once_no_kept_checkpoint_needs_it()
    {
        string newest;
        using (var store = new FasterStateStore(_folder.Path, Small))
        {
            using var session = store.OpenSession();
            var kept = new Queue<string>();
            for (var round = 0; round < 8; round++)
            {
                for (var i = 0; i < 3000; i += round + 1) session.Upsert(Key($"user-{i}"), Value(i, round));
                if (round < 5) session.Upsert(Key("the-deleted-one"), Value(77, round));
                session.Upsert(Key("\0shard:0"), Encoding.UTF8.GetBytes(round < 5 ? "waits for: the-deleted-one" : "waits for nobody"));
                if (round == 5) session.Delete(Key("the-deleted-one"));
                kept.Enqueue(await store.CheckpointAsync());
                if (kept.Count > 2) kept.Dequeue();
                store.Prune(kept);
            }
            FilesThatHold("the-deleted-one").ShouldNotBeEmpty();
            var erased = 0;
            await EraseAsync(store, kept, session, ["the-deleted-one"], _ => erased++);
            erased.ShouldBeGreaterThan(4);
            FilesThatHold("the-deleted-one").ShouldBeEmpty();
            Check(session);
            store.Prune([newest = await store.CheckpointAsync()]);
        }
        using var again = new FasterStateStore(_folder.Path, Small);
        await again.RecoverAsync(newest);
        using var afterwards = again.OpenSession();
        Check(afterwards);
        FilesThatHold("the-deleted-one").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_user_who_came_back_keeps_what_is_new_and_the_older_kept_checkpoint_recovers()
    {
        string older;
        using (var store = new FasterStateStore(_folder.Path, Small))
        {
            using var session = store.OpenSession();
            session.Upsert(Key("ann"), "old life"u8);
            await store.CheckpointAsync();
            session.Delete(Key("ann"));
            await store.CheckpointAsync();
            session.Upsert(Key("ann"), "new life"u8);
            older = await store.CheckpointAsync();
            session.Upsert(Key("ann"), "newer still"u8);
            var kept = new Queue<string>([older, await store.CheckpointAsync()]);
            store.Prune(kept);
            FilesThatHold("old life").ShouldNotBeEmpty();
            await EraseAsync(store, kept, session, ["ann"], _ => { }, prune: false);
            FilesThatHold("old life").ShouldBeEmpty();
            FilesThatHold("new life").ShouldNotBeEmpty();
            Text(Read(session, "ann")).ShouldBe("newer still");
        }
        using var again = new FasterStateStore(_folder.Path, Small);
        await again.RecoverAsync(older);
        using var afterwards = again.OpenSession();
        Text(Read(afterwards, "ann")).ShouldBe("new life");
    }

    [Fact]
    public async Task Compaction_goes_over_erased_records_and_brings_nothing_back()
    {
        var settings = Small with { CompactAtMb = 1, CompactMbMax = 1 };
        using var store = new FasterStateStore(_folder.Path, settings);
        using var session = store.OpenSession();
        var kept = new Queue<string>();
        for (var round = 0; round < 12; round++)
        {
            for (var i = 0; i < 500; i++) session.Upsert(Key($"user-{i}"), Value(i, round));
            for (var i = 0; i < 20; i++)
                if (round == i % 6) session.Upsert(Key($"the-deleted-{i}"), Value(i, round));
                else if (round == 6) session.Delete(Key($"the-deleted-{i}"));
            kept.Enqueue(await store.CheckpointAsync());
            if (kept.Count > 2) kept.Dequeue();
            store.Prune(kept);
            if (round > 8) await EraseAsync(store, kept, session, [.. Enumerable.Range(0, 20).Select(i => $"the-deleted-{i}")], _ => { });
        }
        FilesThatHold("the-deleted-").ShouldBeEmpty();
        for (var i = 0; i < 500; i++) Read(session, $"user-{i}").AsSpan().SequenceEqual(Value(i, 11)).ShouldBeTrue($"user {i}");
        for (var i = 0; i < 20; i++) Read(session, $"the-deleted-{i}").ShouldBeNull();
    }

    /// <summary>FASTER's own scan over the same file finds the same records at the same places, those apart that it has closed.</summary>
    [Fact]
    public async Task Records_lie_in_the_files_as_FASTER_lays_them_out()
    {
        var newest = "";
        using (var store = new FasterStateStore(_folder.Path, Small))
        {
            using var session = store.OpenSession();
            for (var round = 0; round < 3; round++)
            {
                for (var i = 0; i < 700; i++) session.Upsert(Key($"user-{i}"), Value(i, round)[..(1 + (i * 37 + round * 911) % 900)]);
                for (var i = round; i < 700; i += 50) session.Delete(Key($"user-{i}"));
                newest = await store.CheckpointAsync();
            }
        }
        using var device = new FileDevice(Path.Combine(_folder.Path, "log"), sync: false, forStore: true);
        using var kv = new FasterKV<SpanByte, SpanByte>(new FasterKVSettings<SpanByte, SpanByte>
        {
            LogDevice = device, IndexSize = 1 << 20, MemorySize = 4 << 20, PageSize = 64 << 10, SegmentSize = 1 << 20,
            CheckpointManager = new DeviceLogCommitCheckpointManager(new CheckpointFiles(Path.Combine(_folder.Path, "checkpoints")), new DefaultCheckpointNamingScheme(Path.Combine(_folder.Path, "checkpoints")), removeOutdated: false),
        });
        var manifest = CheckpointManifest.ReadAndVerify(Path.Combine(_folder.Path, "checkpoints"), newest);
        kv.Recover(manifest.Index, manifest.Log);
        var faster = new List<string>();
        using (var scan = kv.Log.Scan(kv.Log.BeginAddress, kv.Log.TailAddress))
            while (scan.GetNext(out var info)) faster.Add($"{scan.CurrentAddress} {Encoding.UTF8.GetString(scan.GetKey().AsReadOnlySpan())} {info.Tombstone}");
        var own = new List<string>();
        var page = new byte[64 << 10];
        for (var at = 0L; at < kv.Log.TailAddress; at += page.Length)
        {
            page.AsSpan().Clear();
            using var file = File.OpenRead(device.SegmentPath((int)(at >> 20)));
            file.Position = at & ((1 << 20) - 1);
            file.ReadAtLeast(page, page.Length, throwOnEndOfStream: false);
            var from = at == 0 ? (int)kv.Log.BeginAddress : 0;
            foreach (var record in StoredRecord.Walk(page, from, (int)Math.Min(page.Length, kv.Log.TailAddress - at)))
                if (!MemoryMarshal.Read<RecordInfo>(page.AsSpan(record.At)).SkipOnScan)
                    own.Add($"{at + record.At} {Encoding.UTF8.GetString(page, record.KeyAt, record.KeyLength)} {record.IsTombstone}");
        }
        faster.Count.ShouldBeGreaterThan(2000);
        own.ShouldBe(faster);
    }

    /// <summary>What the node does: erase, and once more after the next checkpoint where the end was in the way.</summary>
    private static async Task EraseAsync(FasterStateStore store, Queue<string> kept, IStateSession session, string[] users, Action<string> erased, bool prune = true)
    {
        if (await store.EraseAsync(users, erased) || !prune) return;
        kept.Enqueue(await store.CheckpointAsync());
        store.Prune([kept.Last()]);
        (await store.EraseAsync(users, erased)).ShouldBeTrue();
    }

    private static void Check(IStateSession session)
    {
        for (var i = 0; i < 3000; i++)
        {
            var round = Enumerable.Range(0, 8).Last(r => i % (r + 1) == 0);
            Read(session, $"user-{i}").AsSpan().SequenceEqual(Value(i, round)).ShouldBeTrue($"user {i}");
        }
        Read(session, "the-deleted-one").ShouldBeNull();
        Text(Read(session, "\0shard:0")).ShouldBe("waits for nobody");
    }

    private List<string> FilesThatHold(string text) => Bytes.FilesThatHold(_folder.Path, text);

    private static List<(long Offset, string Text)> ReadAll(FasterEventLog log)
    {
        var read = new List<(long, string)>();
        var batch = new LogBatch();
        using var reader = log.OpenReader(Topics.Events, 0, 0);
        while (reader.Read(batch, 100) > 0)
            for (var i = 0; i < batch.Count; i++) read.Add((batch.Offset(i), Text(batch.Value(i))));
        return read;
    }

    private static LogEntry Entry(string key, int i) => new(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes($"{i} of {key} {new string('x', i * 31 % 2000)}"), 1_767_225_600_000 + i);

    private static byte[] Key(string key) => Encoding.UTF8.GetBytes(key);

    private static byte[] Value(int i, int round)
    {
        var value = new byte[900];
        new Random(i * 100 + round).NextBytes(value);
        return value;
    }

    private static byte[]? Read(IStateSession session, string key)
    {
        var into = new ByteWriter();
        return session.TryRead(Key(key), into) ? into.WrittenSpan.ToArray() : null;
    }

    private static string Text(byte[]? bytes) => Encoding.UTF8.GetString(bytes!);

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}

/// <summary>What is written where.</summary>
internal static class Bytes
{
    /// <summary>Paths of all files below a folder in which the text stands, in UTF-8 or UTF-16.</summary>
    public static List<string> FilesThatHold(string folder, string text) =>
        [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(path => Holds(path, text)).Select(path => Path.GetRelativePath(folder, path))];

    private static bool Holds(string path, string text)
    {
        if (Path.GetFileName(path) == "in-use") return false; // a lock, and empty
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[file.Length];
            file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0 || bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(text)) >= 0;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
    }
}
