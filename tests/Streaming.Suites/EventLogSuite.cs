using System.Diagnostics;
using System.Text;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Suites;

/// <summary>
/// What every <see cref="IEventLog"/> promises. A subclass says how to open one; each test gets a log of its own with nothing in it.
/// Volumes stay under 2 MB a partition, because librdkafka's mock cluster keeps 5 MB.
/// </summary>
public abstract class EventLogSuite : IAsyncLifetime
{
    private const long TimeMs = 1_767_225_600_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    protected static readonly LogSettings Settings = new()
    {
        Partitions = 4, RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 16,
    };

    private IEventLog _log = null!;

    /// <summary>Opens the log of this test: empty the first time; with what it holds when called again after a disposal.</summary>
    protected abstract Task<IEventLog> OpenAsync(LogSettings settings);

    /// <summary>Closes the log and opens it again. Where the records die with the log object, override this to return it as it is.</summary>
    protected virtual async Task<IEventLog> ReopenAsync(IEventLog log)
    {
        await log.DisposeAsync();
        return await OpenAsync(Settings);
    }

    public async Task InitializeAsync() => _log = await OpenAsync(Settings);

    /// <summary>Override to remove what <see cref="OpenAsync"/> made; call the base first.</summary>
    public virtual async Task DisposeAsync() => await _log.DisposeAsync();

    [Fact]
    public void Every_topic_has_its_partitions()
    {
        foreach (var topic in Topics.All.Where(topic => topic != Topics.DeadLetter))
            _log.PartitionCount(topic).ShouldBe(Topics.PartitionsOf(topic, Settings.Partitions), topic);
        _log.PartitionCount(Topics.DeadLetter).ShouldBeGreaterThanOrEqualTo(1);
    }

    [Fact]
    public async Task Records_come_back_byte_for_byte()
    {
        var binary = Enumerable.Range(0, 256).Select(b => (byte)b).ToArray();
        var large = new byte[Settings.RecordBytesMax / 2];
        new Random(7).NextBytes(large);
        LogEntry[] entries =
        [
            Entry("user", "plain", 0),
            new(Utf8("empty value"), ReadOnlyMemory<byte>.Empty, TimeMs + 1, 0),
            new(Utf8("binary value"), binary, TimeMs + 2, 0),
            new(binary, Utf8("binary key"), TimeMs + 3, 0),
            new(Utf8("Zoë 测试"), Utf8("naïve"), TimeMs + 4, 0),
            new(Utf8("large"), large, TimeMs + 5, 0),
        ];
        var positions = await _log.AppendAsync(Topics.Events, entries);
        positions.Length.ShouldBe(entries.Length);
        using var reader = _log.OpenReader(Topics.Events, 0, 0);
        var read = await ReadAsync(reader, entries.Length);
        for (var i = 0; i < entries.Length; i++)
        {
            read[i].Offset.ShouldBe(positions[i].Offset);
            read[i].TimeMs.ShouldBe(entries[i].TimeMs);
            read[i].Key.ShouldBe(entries[i].Key.ToArray());
            read[i].Value.ShouldBe(entries[i].Value.ToArray());
        }
    }

    [Fact]
    public async Task Order_holds_within_a_partition_and_offsets_chain()
    {
        const int batches = 30, each = 25;
        var positions = new List<LogPosition>();
        for (var batch = 0; batch < batches; batch++)
        {
            var entries = Enumerable.Range(batch * each, each).Select(i => Entry("u", $"record {i}", 1)).ToArray();
            positions.AddRange(await _log.AppendAsync(Topics.Examples, entries));
        }
        positions.ShouldAllBe(position => position.Partition == 1);
        using var reader = _log.OpenReader(Topics.Examples, 1, 0);
        var read = await ReadAsync(reader, batches * each, recordsMax: 64);
        read.Select(record => record.Text).ShouldBe(Enumerable.Range(0, batches * each).Select(i => $"record {i}"));
        read.Select(record => record.Offset).ShouldBe(positions.Select(position => position.Offset));
        for (var i = 1; i < read.Count; i++) read[i].Offset.ShouldBeGreaterThan(read[i - 1].Offset);
    }

    [Fact]
    public async Task A_keyed_record_lands_where_kafkas_default_partitioner_puts_it()
    {
        var keys = Enumerable.Range(0, 64).Select(i => $"user-{i}").ToArray();
        var positions = await _log.AppendAsync(Topics.Events, keys.Select(key => Entry(key, key)).ToArray());
        for (var i = 0; i < keys.Length; i++)
            positions[i].Partition.ShouldBe(Murmur2.PartitionOf(Utf8(keys[i]), Settings.Partitions), keys[i]);
        for (var partition = 0; partition < Settings.Partitions; partition++)
        {
            var expected = keys.Where((_, i) => positions[i].Partition == partition).ToArray();
            expected.ShouldNotBeEmpty("64 keys reach every partition");
            using var reader = _log.OpenReader(Topics.Events, partition, 0);
            (await ReadAsync(reader, expected.Length)).Select(record => record.Text).ShouldBe(expected);
        }
    }

    [Fact]
    public async Task An_explicit_partition_is_obeyed()
    {
        var entries = Enumerable.Range(0, Settings.Partitions).Select(p => Entry("same key", $"to {p}", p)).ToArray();
        var positions = await _log.AppendAsync(Topics.Models, entries);
        positions.Select(position => position.Partition).ShouldBe(Enumerable.Range(0, Settings.Partitions));
        using var reader = _log.OpenReader(Topics.Models, 2, 0);
        (await ReadAsync(reader, 1))[0].Text.ShouldBe("to 2");
    }

    [Fact]
    public async Task A_partition_that_does_not_exist_is_refused()
    {
        await Should.ThrowAsync<EventLogException>(async () => await _log.AppendAsync(Topics.Events, new[] { Entry("u", "v", Settings.Partitions) }));
        Should.Throw<EventLogException>(() => _log.OpenReader(Topics.Events, Settings.Partitions, 0));
    }

    [Fact]
    public async Task A_reader_starts_in_the_middle()
    {
        var positions = await AppendNumbersAsync(Topics.Events, 0, 20);
        using var reader = _log.OpenReader(Topics.Events, 0, positions[13].Offset);
        reader.Offset.ShouldBe(positions[13].Offset);
        (await ReadAsync(reader, 7)).Select(record => record.Text).ShouldBe(Enumerable.Range(13, 7).Select(i => i.ToString()));
    }

    [Fact]
    public async Task A_batch_tells_where_to_go_on_and_another_reader_goes_on_there()
    {
        await AppendNumbersAsync(Topics.Events, 0, 20);
        using var first = _log.OpenReader(Topics.Events, 0, 0);
        (await ReadAsync(first, 8, recordsMax: 8)).Count.ShouldBe(8);
        using var second = _log.OpenReader(Topics.Events, 0, first.Offset);
        (await ReadAsync(second, 12)).Select(record => record.Text).ShouldBe(Enumerable.Range(8, 12).Select(i => i.ToString()));
    }

    [Fact]
    public async Task Nothing_at_or_above_the_bound_is_read()
    {
        var positions = await AppendNumbersAsync(Topics.Events, 3, 10);
        using var reader = _log.OpenReader(Topics.Events, 3, 0);
        var below = await ReadAsync(reader, 6, until: positions[6].Offset);
        below.Select(record => record.Text).ShouldBe(Enumerable.Range(0, 6).Select(i => i.ToString()));
        reader.Read(new LogBatch(), 100, positions[6].Offset).ShouldBe(0);
        (await ReadAsync(reader, 4)).Select(record => record.Text).ShouldBe(Enumerable.Range(6, 4).Select(i => i.ToString()));
    }

    [Fact]
    public async Task A_reader_at_the_end_reads_nothing_and_then_what_is_appended()
    {
        await AppendNumbersAsync(Topics.Feeds, 0, 5);
        var end = (await _log.RangeAsync(Topics.Feeds, 0)).End;
        using var reader = _log.OpenReader(Topics.Feeds, 0, end);
        var batch = new LogBatch();
        reader.Read(batch, 100).ShouldBe(0);
        batch.Count.ShouldBe(0);
        for (var round = 0; round < 3; round++)
        {
            var position = (await _log.AppendAsync(Topics.Feeds, new[] { Entry("u", $"later {round}", 0) }))[0];
            var read = await ReadAsync(reader, 1);
            read[0].Text.ShouldBe($"later {round}");
            read[0].Offset.ShouldBe(position.Offset);
        }
    }

    [Fact]
    public async Task Waiting_ends_when_a_record_arrives()
    {
        using var reader = _log.OpenReader(Topics.Events, 0, 0);
        var batch = new LogBatch();
        reader.Read(batch, 10).ShouldBe(0);
        var watch = Stopwatch.StartNew();
        var wait = WaitForRecordAsync(reader, batch);
        await _log.AppendAsync(Topics.Events, new[] { Entry("u", "wake up", 0) });
        (await wait).ShouldBe(1);
        watch.Elapsed.ShouldBeLessThan(Patience);
    }

    [Fact]
    public async Task Waiting_ends_after_its_timeout_and_when_cancelled()
    {
        using var reader = _log.OpenReader(Topics.Events, 0, 0);
        await reader.WaitAsync(TimeSpan.FromMilliseconds(20)).AsTask().WaitAsync(Patience);
        using var cancel = new CancellationTokenSource();
        var wait = reader.WaitAsync(Patience * 2, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await wait.WaitAsync(Patience));
    }

    [Fact]
    public async Task The_range_spans_what_can_be_read()
    {
        var empty = await _log.RangeAsync(Topics.Items, 0);
        empty.End.ShouldBe(empty.Earliest);
        var positions = await AppendNumbersAsync(Topics.Items, 0, 9);
        var range = await _log.RangeAsync(Topics.Items, 0);
        range.Earliest.ShouldBe(positions[0].Offset);
        range.End.ShouldBeGreaterThan(positions[^1].Offset);
        using var reader = _log.OpenReader(Topics.Items, 0, range.Earliest);
        await ReadAsync(reader, 9, until: range.End);
        reader.Offset.ShouldBe(range.End);
    }

    [Fact]
    public async Task Groups_keep_their_own_positions_over_a_reopening()
    {
        (await _log.CommittedAsync("nobody", Topics.Events)).ShouldBeEmpty();
        var zero = await AppendNumbersAsync(Topics.Events, 0, 6);
        var two = await AppendNumbersAsync(Topics.Events, 2, 6);
        await _log.CommitAsync("a", Topics.Events, [zero[1], two[2]]);
        await _log.CommitAsync("b", Topics.Events, [zero[5]]);
        await _log.CommitAsync("a", Topics.Events, [zero[4]]);
        (await CommittedAsync("a", Topics.Events)).ShouldBe([zero[4], two[2]]);
        (await CommittedAsync("b", Topics.Events)).ShouldBe([zero[5]]);
        (await CommittedAsync("a", Topics.Items)).ShouldBeEmpty();

        _log = await ReopenAsync(_log);
        (await CommittedAsync("a", Topics.Events)).ShouldBe([zero[4], two[2]]);
        (await CommittedAsync("b", Topics.Events)).ShouldBe([zero[5]]);
        await _log.CommitAsync("b", Topics.Events, [zero[2]]);
        (await CommittedAsync("b", Topics.Events)).ShouldBe([zero[2]], "a group may go back");
    }

    [Fact]
    public async Task Records_survive_a_reopening_and_offsets_go_on_growing()
    {
        var before = await AppendNumbersAsync(Topics.Events, 1, 12);
        _log = await ReopenAsync(_log);
        var after = (await _log.AppendAsync(Topics.Events, new[] { Entry("u", "12", 1) }))[0];
        after.Offset.ShouldBeGreaterThan(before[^1].Offset);
        using var reader = _log.OpenReader(Topics.Events, 1, 0);
        var read = await ReadAsync(reader, 13);
        read.Select(record => record.Text).ShouldBe(Enumerable.Range(0, 13).Select(i => i.ToString()));
        read.Select(record => record.Offset).ShouldBe(before.Append(after).Select(position => position.Offset));
    }

    [Fact]
    public async Task Appenders_on_several_threads_lose_nothing_and_keep_their_order()
    {
        const int appenders = 4, batches = 20, each = 8;
        var appended = await Task.WhenAll(Enumerable.Range(0, appenders).Select(appender => Task.Run(async () =>
        {
            var positions = new List<(LogPosition Position, string Text)>();
            for (var batch = 0; batch < batches; batch++)
            {
                var texts = Enumerable.Range(batch * each, each).Select(i => $"{appender}/{i:d4}").ToArray();
                var entries = texts.Select((text, i) => Entry(text, text, i % 2)).ToArray();
                positions.AddRange((await _log.AppendAsync(Topics.Events, entries)).Zip(texts));
            }
            return positions;
        })));
        for (var partition = 0; partition < 2; partition++)
        {
            var expected = appended.SelectMany(list => list).Where(entry => entry.Position.Partition == partition).OrderBy(entry => entry.Position.Offset).ToArray();
            expected.Length.ShouldBe(appenders * batches * each / 2);
            using var reader = _log.OpenReader(Topics.Events, partition, 0);
            var read = await ReadAsync(reader, expected.Length);
            read.Select(record => record.Text).ShouldBe(expected.Select(entry => entry.Text));
            foreach (var own in read.GroupBy(record => record.Text[0]))
                own.Select(record => record.Text).ShouldBeInOrder();
        }
    }

    [Fact]
    public async Task An_unknown_topic_is_refused()
    {
        Should.Throw<EventLogException>(() => _log.PartitionCount("no-such-topic"));
        Should.Throw<EventLogException>(() => _log.OpenReader("no-such-topic", 0, 0));
        await Should.ThrowAsync<EventLogException>(async () => await _log.AppendAsync("no-such-topic", new[] { Entry("u", "v") }));
        await Should.ThrowAsync<EventLogException>(async () => await _log.RangeAsync("no-such-topic", 0));
        await Should.ThrowAsync<EventLogException>(async () => await _log.CommitAsync("a", "no-such-topic", [new LogPosition(0, 0)]));
        await Should.ThrowAsync<EventLogException>(async () => await _log.CommittedAsync("a", "no-such-topic"));
    }

    [Fact]
    public async Task A_record_that_is_too_large_is_refused_and_the_log_goes_on()
    {
        var tooLarge = new LogEntry(Utf8("u"), new byte[Settings.RecordBytesMax + 1], TimeMs, 0);
        var refusal = await Should.ThrowAsync<EventLogException>(async () => await _log.AppendAsync(Topics.Events, new[] { tooLarge }));
        refusal.Message.ShouldContain("RecordBytesMax");
        await AppendNumbersAsync(Topics.Events, 0, 3);
        using var reader = _log.OpenReader(Topics.Events, 0, 0);
        (await ReadAsync(reader, 3)).Select(record => record.Text).ShouldBe(["0", "1", "2"]);
    }

    [Fact]
    public async Task A_cancelled_append_throws_and_the_log_goes_on()
    {
        var cancelled = new CancellationToken(canceled: true);
        await Should.ThrowAsync<OperationCanceledException>(async () => await _log.AppendAsync(Topics.Events, new[] { Entry("u", "cancelled", 0) }, cancelled));
        var position = (await _log.AppendAsync(Topics.Events, new[] { Entry("u", "after", 0) }))[0];
        using var reader = _log.OpenReader(Topics.Events, 0, position.Offset);
        (await ReadAsync(reader, 1))[0].Text.ShouldBe("after");
    }

    [Fact]
    public async Task An_empty_append_does_nothing()
    {
        (await _log.AppendAsync(Topics.Events, ReadOnlyMemory<LogEntry>.Empty)).ShouldBeEmpty();
        var range = await _log.RangeAsync(Topics.Events, 0);
        range.End.ShouldBe(range.Earliest);
    }

    /// <summary>Reads until <paramref name="count"/> records are there; checks that offsets and <see cref="LogBatch.NextOffset"/> chain.</summary>
    private static async Task<List<Record>> ReadAsync(ILogReader reader, int count, int recordsMax = 256, long until = long.MaxValue)
    {
        var read = new List<Record>();
        var batch = new LogBatch();
        var watch = Stopwatch.StartNew();
        while (read.Count < count)
        {
            watch.Elapsed.ShouldBeLessThan(Patience, $"{read.Count} of {count} records came");
            var from = reader.Offset;
            var got = reader.Read(batch, recordsMax, until);
            got.ShouldBe(batch.Count);
            got.ShouldBeLessThanOrEqualTo(recordsMax);
            if (got == 0)
            {
                await reader.WaitAsync(TimeSpan.FromSeconds(1));
                continue;
            }
            batch.Offset(0).ShouldBeGreaterThanOrEqualTo(from);
            batch.NextOffset.ShouldBeGreaterThan(batch.Offset(got - 1));
            reader.Offset.ShouldBe(batch.NextOffset);
            for (var i = 0; i < got; i++)
                read.Add(new Record(batch.Offset(i), batch.TimeMs(i), batch.Key(i).ToArray(), batch.Value(i).ToArray()));
        }
        read.Count.ShouldBe(count);
        return read;
    }

    private static async Task<int> WaitForRecordAsync(ILogReader reader, LogBatch batch)
    {
        var watch = Stopwatch.StartNew();
        while (reader.Read(batch, 10) == 0 && watch.Elapsed < Patience) await reader.WaitAsync(Patience * 2);
        return batch.Count;
    }

    private async Task<LogPosition[]> AppendNumbersAsync(string topic, int partition, int count) =>
        await _log.AppendAsync(topic, Enumerable.Range(0, count).Select(i => Entry("u", i.ToString(), partition)).ToArray());

    private async Task<LogPosition[]> CommittedAsync(string group, string topic) =>
        [.. (await _log.CommittedAsync(group, topic)).OrderBy(position => position.Partition)];

    private static LogEntry Entry(string key, string value, int partition = -1) => new(Utf8(key), Utf8(value), TimeMs, partition);

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private sealed record Record(long Offset, long TimeMs, byte[] Key, byte[] Value)
    {
        public string Text => Encoding.UTF8.GetString(Value);
    }
}
