using Streaming.Suites;
using System.Text;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Storage.Tests;

/// <summary>What FasterKV adds to the contracts: bounds, failures and allocations.</summary>
public sealed class HybridStoreTests : IDisposable
{
    private static readonly HybridStoreSettings Small = FasterStateStoreContractTests.Small;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_log_stays_bounded_and_no_value_changes_while_it_is_compacted()
    {
        const int keys = 150, rounds = 30;
        using var store = new FasterStateStore(_folder.Path, Small);
        using var session = store.OpenSession();
        var rounded = new int[keys];
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < keys; i++)
                if (i % 5 != 0 || round == 0)
                {
                    session.Upsert(Key(i), Value(i, round));
                    rounded[i] = round;
                }
            store.Prune([await store.CheckpointAsync()]);
            for (var i = 0; i < keys; i++) Same(Read(session, i), Value(i, rounded[i])).ShouldBeTrue($"key {i} after round {round}");
        }
        // 150 keys x 20 KB are 3 MB; 30 rounds wrote 75 MB.
        store.LogBytes.ShouldBeLessThan(20 << 20);
        new DirectoryInfo(_folder.Path).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length).ShouldBeLessThan(28L << 20);
    }

    [Fact]
    public async Task A_deleted_key_stays_deleted_through_compaction()
    {
        using var store = new FasterStateStore(_folder.Path, Small);
        using var session = store.OpenSession();
        for (var i = 0; i < 100; i++) session.Upsert(Key(i), Value(i, 0));
        for (var i = 0; i < 100; i += 2) session.Delete(Key(i));
        for (var round = 1; round < 12; round++)
        {
            for (var i = 100; i < 160; i++) session.Upsert(Key(i), Value(i, round));
            store.Prune([await store.CheckpointAsync()]);
        }
        for (var i = 0; i < 100; i++) Same(Read(session, i), i % 2 == 0 ? null : Value(i, 0)).ShouldBeTrue($"key {i}");
    }

    [Fact]
    public async Task A_kept_checkpoint_still_recovers_after_later_ones_have_compacted_the_log()
    {
        string kept;
        using (var store = new FasterStateStore(_folder.Path, Small))
        {
            using var session = store.OpenSession();
            for (var i = 0; i < 200; i++) session.Upsert(Key(i), Value(i, 0));
            kept = await store.CheckpointAsync();
            for (var round = 1; round < 10; round++)
            {
                for (var i = 0; i < 100; i++) session.Upsert(Key(i), Value(i, round));
                store.Prune([kept, await store.CheckpointAsync()]);
            }
        }
        using var again = new FasterStateStore(_folder.Path, Small);
        await again.RecoverAsync(kept);
        using var reader = again.OpenSession();
        for (var i = 0; i < 200; i++) Same(Read(reader, i), Value(i, 0)).ShouldBeTrue($"key {i}");
    }

    [Fact]
    public async Task A_value_damaged_on_the_disk_is_refused_not_returned()
    {
        string token;
        using (var store = new FasterStateStore(_folder.Path, Small with { CompactAtMb = 1000 }))
        {
            using var session = store.OpenSession();
            for (var i = 0; i < 600; i++) session.Upsert(Key(i), Value(i, 0));
            token = await store.CheckpointAsync();
        }
        var path = _folder.Sub("log.0");
        var bytes = await File.ReadAllBytesAsync(path);
        for (var at = 100_000; at < bytes.Length; at += 1000) bytes[at] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);
        using var damaged = new FasterStateStore(_folder.Path, Small with { CompactAtMb = 1000 });
        await damaged.RecoverAsync(token);
        using var reader = damaged.OpenSession();
        var refused = 0;
        for (var i = 0; i < 600; i++)
            try
            {
                if (Read(reader, i) is { } value) Same(value, Value(i, 0)).ShouldBeTrue($"key {i}");
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        refused.ShouldBeGreaterThan(10);
    }

    [Fact]
    public async Task A_log_file_that_is_missing_or_short_is_noticed_before_recovery()
    {
        string token;
        using (var store = new FasterStateStore(_folder.Path, Small))
        {
            using var session = store.OpenSession();
            for (var i = 0; i < 200; i++) session.Upsert(Key(i), Value(i, 0));
            token = await store.CheckpointAsync();
        }
        var last = Directory.EnumerateFiles(_folder.Path, "log.*").OrderBy(path => path.Length).ThenBy(path => path, StringComparer.Ordinal).Last();
        var whole = await File.ReadAllBytesAsync(last);
        await File.WriteAllBytesAsync(last, whole[..(whole.Length / 2)]);
        using (var store = new FasterStateStore(_folder.Path, Small)) await Should.ThrowAsync<InvalidDataException>(() => store.RecoverAsync(token));
        File.Delete(_folder.Sub("log.1"));
        using (var store = new FasterStateStore(_folder.Path, Small)) await Should.ThrowAsync<InvalidDataException>(() => store.RecoverAsync(token));
    }

    [Fact]
    public async Task A_disk_that_takes_no_more_stops_the_store_and_the_checkpoint_before_stays()
    {
        string token;
        using (var store = new FasterStateStore(_folder.Path, Small))
        {
            using var session = store.OpenSession();
            for (var i = 0; i < 20; i++) session.Upsert(Key(i), Value(i, 0));
            token = await store.CheckpointAsync();
            Directory.CreateDirectory(_folder.Sub("log.1"));
            Should.Throw<IOException>(() =>
            {
                for (var i = 0; i < 100_000; i++) session.Upsert(Key(i % 500), Value(i % 500, 1));
            }).Message.ShouldContain("the last checkpoint is safe");
            await Should.ThrowAsync<IOException>(() => store.CheckpointAsync());
        }
        Directory.Delete(_folder.Sub("log.1"));
        using var again = new FasterStateStore(_folder.Path, Small);
        await again.RecoverAsync(token);
        using var reader = again.OpenSession();
        for (var i = 0; i < 20; i++) Same(Read(reader, i), Value(i, 0)).ShouldBeTrue($"key {i}");
    }

    [Fact]
    public void A_record_larger_than_a_page_and_an_empty_key_are_refused()
    {
        using var store = new FasterStateStore(_folder.Path, Small);
        using var session = store.OpenSession();
        Should.Throw<ArgumentException>(() => session.Upsert(Key(1), new byte[128 << 10])).Message.ShouldContain("PageKb");
        Should.Throw<ArgumentException>(() => session.Upsert([], new byte[1]));
        session.Upsert(Key(1), new byte[(128 << 10) - 200]);
        Read(session, 1)!.Length.ShouldBe((128 << 10) - 200);
    }

    [Fact]
    public async Task Recovering_after_a_session_was_opened_is_a_mistake()
    {
        using var store = new FasterStateStore(_folder.Path, Small);
        using (store.OpenSession()) await Should.ThrowAsync<InvalidOperationException>(() => store.RecoverAsync("0000000001"));
    }

    [Fact]
    public void Looking_a_list_up_allocates_nothing_once_warm()
    {
        using var cache = new FasterFeedCache(_folder.Path, new StorageSettings { Cache = Small }, (list, into) => into.Raw(new byte[6000]));
        foreach (var arm in (string[])["a", "b"])
            cache.Put(new FeedList { User = "user", Surface = "home", Arm = arm, Version = 1, BuiltMs = 1, LastEventMs = 1, LastApplied = new LogPosition(0, 1), Models = "", Entries = [] });
        var into = new ByteWriter(8192);
        for (var i = 0; i < 200; i++) Get();
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 1000; i++) Get();
        }).ShouldBe(0);

        void Get()
        {
            into.Clear();
            if (!cache.TryGet("user", "home", "b", into)) throw new InvalidOperationException("the list is gone");
        }
    }

    private static byte[] Key(int i) => Encoding.UTF8.GetBytes($"user-{i}");

    private static byte[] Value(int i, int round)
    {
        var value = new byte[1000 + (i * 7919 + round * 104_729) % 39_000];
        new Random(i * 100 + round).NextBytes(value);
        return value;
    }

    private static bool Same(byte[]? found, byte[]? expected) => (found is null) == (expected is null) && found.AsSpan().SequenceEqual(expected);

    private static byte[]? Read(IStateSession session, int key)
    {
        var into = new ByteWriter();
        return session.TryRead(Key(key), into) ? into.WrittenSpan.ToArray() : null;
    }
}
