using System.Text;
using Streaming.Core.Ports;
using Streaming.Core.Wire;

namespace Streaming.Suites;

/// <summary>What every <see cref="IStateStore"/> promises. A subclass says how to open one and where it keeps its checkpoints.</summary>
public abstract class StateStoreSuite : IDisposable
{
    private IStateStore _store;

    protected StateStoreSuite() => _store = Open();

    /// <summary>Opens the store of this test: nothing in it the first time; the same folder when called again after a disposal.</summary>
    protected abstract IStateStore Open();

    /// <summary>Every file that a checkpoint put on disk.</summary>
    protected abstract IEnumerable<string> CheckpointFiles();

    /// <summary>Override to remove what <see cref="Open"/> made; call the base first.</summary>
    public virtual void Dispose()
    {
        _store.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void What_is_upserted_is_read_until_it_is_deleted()
    {
        using var session = _store.OpenSession();
        Read(session, "a").ShouldBeNull();
        session.Upsert(Utf8("a"), Utf8("one"));
        session.Upsert(Utf8("b"), []);
        Read(session, "a").ShouldBe(Utf8("one"));
        Read(session, "b").ShouldBe([]);
        session.Upsert(Utf8("a"), Utf8("a longer value"));
        Read(session, "a").ShouldBe(Utf8("a longer value"));
        session.Upsert(Utf8("a"), Utf8("short"));
        Read(session, "a").ShouldBe(Utf8("short"));
        session.Delete(Utf8("a"));
        session.Delete(Utf8("never there"));
        Read(session, "a").ShouldBeNull();
        session.Upsert(Utf8("a"), Utf8("back"));
        Read(session, "a").ShouldBe(Utf8("back"));
    }

    [Fact]
    public void Reading_appends()
    {
        using var session = _store.OpenSession();
        session.Upsert(Utf8("k"), Utf8("value"));
        var into = new ByteWriter();
        into.Byte(7);
        session.TryRead(Utf8("k"), into).ShouldBeTrue();
        into.WrittenSpan.ToArray().ShouldBe([7, .. Utf8("value")]);
        session.TryRead(Utf8("absent"), into).ShouldBeFalse();
        into.Length.ShouldBe(6);
    }

    [Fact]
    public void More_than_memory_holds_comes_back_from_the_disk()
    {
        const int keys = 600;
        using var session = _store.OpenSession();
        for (var i = 0; i < keys; i++) session.Upsert(Key(i), Value(i, 0));
        for (var i = 0; i < keys; i++) Expect(session, i, Value(i, 0));
        for (var i = 0; i < keys; i += 2) session.Upsert(Key(i), Value(i, 1));
        for (var i = 0; i < keys; i += 3) session.Delete(Key(i));
        for (var i = 0; i < keys; i++) Expect(session, i, i % 3 == 0 ? null : Value(i, i % 2 == 0 ? 1 : 0));
    }

    [Fact]
    public async Task Sessions_of_several_threads_work_at_once()
    {
        const int threads = 4, keys = 100;
        await Task.WhenAll(Enumerable.Range(0, threads).Select(thread => Task.Run(() =>
        {
            using var session = _store.OpenSession();
            for (var round = 0; round < 3; round++)
                for (var i = 0; i < keys; i++) session.Upsert(Key(thread * keys + i), Value(thread * keys + i, round));
        })));
        using var reader = _store.OpenSession();
        for (var i = 0; i < threads * keys; i++) Expect(reader, i, Value(i, 2));
    }

    [Fact]
    public async Task A_checkpoint_is_what_is_recovered_and_later_changes_are_gone()
    {
        string token;
        using (var session = _store.OpenSession())
        {
            for (var i = 0; i < 200; i++) session.Upsert(Key(i), Value(i, 0));
            session.Delete(Key(7));
            token = await _store.CheckpointAsync();
            for (var i = 0; i < 200; i++) session.Upsert(Key(i), Value(i, 9));
            session.Upsert(Key(7), Value(7, 9));
            session.Upsert(Key(1000), Value(1000, 9));
        }
        await ReopenAsync(token);
        using var after = _store.OpenSession();
        for (var i = 0; i < 200; i++) Expect(after, i, i == 7 ? null : Value(i, 0));
        Read(after, 1000).ShouldBeNull();
    }

    [Fact]
    public async Task Each_checkpoint_adds_to_the_one_before_it_over_several_lives()
    {
        string? token = null;
        for (var life = 0; life < 4; life++)
        {
            if (token is not null) await ReopenAsync(token);
            using var session = _store.OpenSession();
            for (var step = 0; step < 3; step++)
            {
                for (var i = 0; i < 60; i++) session.Upsert(Key(life * 60 + i), Value(i, step));
                session.Upsert(Key(0), Value(life, step));
                token = await _store.CheckpointAsync();
                _store.Prune([token]);
            }
            session.Upsert(Key(0), Value(life, 77));
        }
        await ReopenAsync(token!);
        using var after = _store.OpenSession();
        Expect(after, 0, Value(3, 2));
        for (var i = 1; i < 240; i++) Expect(after, i, Value(i % 60, 2));
    }

    [Fact]
    public async Task An_empty_store_can_be_checkpointed_and_recovered()
    {
        var token = await _store.CheckpointAsync();
        await ReopenAsync(token);
        using var session = _store.OpenSession();
        Read(session, 1).ShouldBeNull();
        session.Upsert(Key(1), Value(1, 1));
        Expect(session, 1, Value(1, 1));
    }

    [Fact]
    public async Task A_missing_checkpoint_is_said_to_be_so()
    {
        await _store.CheckpointAsync();
        _store.Dispose();
        _store = Open();
        await Should.ThrowAsync<InvalidDataException>(() => _store.RecoverAsync("no-such-token"));
    }

    [Fact]
    public async Task A_damaged_checkpoint_is_refused_and_the_one_before_it_still_recovers()
    {
        string first;
        string second;
        string[] ofSecond;
        using (var session = _store.OpenSession())
        {
            for (var i = 0; i < 50; i++) session.Upsert(Key(i), Value(i, 0));
            first = await _store.CheckpointAsync();
            var before = CheckpointFiles().ToHashSet();
            for (var i = 0; i < 50; i++) session.Upsert(Key(i), Value(i, 1));
            second = await _store.CheckpointAsync();
            ofSecond = [.. CheckpointFiles().Where(path => !before.Contains(path))];
        }
        _store.Dispose();
        ofSecond.ShouldNotBeEmpty();
        foreach (var path in ofSecond)
        {
            var whole = File.ReadAllBytes(path);
            foreach (var damaged in Damages(whole))
            {
                File.WriteAllBytes(path, damaged);
                _store = Open();
                await Should.ThrowAsync<InvalidDataException>(() => _store.RecoverAsync(second), path);
                _store.Dispose();
            }
            File.WriteAllBytes(path, whole);
        }
        File.WriteAllBytes(ofSecond[0], []);
        _store = Open();
        await Should.ThrowAsync<InvalidDataException>(() => _store.RecoverAsync(second));
        await _store.RecoverAsync(first);
        using var after = _store.OpenSession();
        for (var i = 0; i < 50; i++) Expect(after, i, Value(i, 0));
    }

    [Fact]
    public async Task Pruning_keeps_what_the_kept_checkpoint_needs()
    {
        var tokens = new List<string>();
        using (var session = _store.OpenSession())
            for (var step = 0; step < 4; step++)
            {
                for (var i = 0; i < 40; i++) session.Upsert(Key(i), Value(i, step));
                tokens.Add(await _store.CheckpointAsync());
            }
        var before = CheckpointFiles().Count();
        _store.Prune([tokens[2]]);
        CheckpointFiles().Count().ShouldBeLessThan(before);
        _store.Dispose();
        _store = Open();
        await Should.ThrowAsync<InvalidDataException>(() => _store.RecoverAsync(tokens[3]));
        await _store.RecoverAsync(tokens[2]);
        using var after = _store.OpenSession();
        for (var i = 0; i < 40; i++) Expect(after, i, Value(i, 2));
    }

    private static IEnumerable<byte[]> Damages(byte[] whole)
    {
        yield return whole[..(whole.Length / 2)];
        foreach (var at in (int[])[0, whole.Length / 2, whole.Length - 1])
        {
            var flipped = whole.ToArray();
            flipped[at] ^= 0x10;
            yield return flipped;
        }
    }

    private async Task ReopenAsync(string token)
    {
        _store.Dispose();
        _store = Open();
        await _store.RecoverAsync(token);
    }

    /// <summary>Compares as bytes: Shouldly takes a minute over so many.</summary>
    private static void Expect(IStateSession session, int key, byte[]? expected)
    {
        var found = Read(session, key);
        (found is null).ShouldBe(expected is null, $"key {key}");
        found.AsSpan().SequenceEqual(expected).ShouldBeTrue($"the value of key {key}");
    }

    private static byte[]? Read(IStateSession session, int key) => Read(session, $"user-{key}");

    private static byte[]? Read(IStateSession session, string key)
    {
        var into = new ByteWriter();
        return session.TryRead(Utf8(key), into) ? into.WrittenSpan.ToArray() : null;
    }

    private static byte[] Key(int i) => Utf8($"user-{i}");

    /// <summary>Between 0 and 60 KB, different for every key and round.</summary>
    private static byte[] Value(int i, int round)
    {
        var value = new byte[(i * 7919 + round * 104_729) % 60_000];
        new Random(i * 100 + round).NextBytes(value);
        return value;
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
