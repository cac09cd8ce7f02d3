using System.Text;
using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Storage.Tests;

public sealed class FasterEventLogTests : IDisposable
{
    private const long HourMs = 3_600_000;
    private static readonly LogSettings Settings = new() { Partitions = 2, RecordBytesMax = 1 << 16, RetentionHours = 0, RetentionMbPerPartition = 0 };
    private static readonly StorageSettings Small = new() { LogPageKb = 128, LogMemoryMbPerPartition = 1, LogSegmentMb = 1 };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Another_number_of_partitions_is_refused_with_what_to_do()
    {
        await Open().DisposeAsync();
        var refusal = Should.Throw<EventLogException>(() => Open(Settings with { Partitions = 3 }));
        refusal.Message.ShouldContain("has 2 partitions");
        refusal.Message.ShouldContain("Set Log:Partitions to 2");
        await Open().DisposeAsync();
    }

    [Fact]
    public async Task Records_larger_than_the_pages_that_exist_are_refused()
    {
        await Open().DisposeAsync();
        Should.Throw<EventLogException>(() => Open(Settings with { RecordBytesMax = 1 << 20 })).Message.ShouldContain("Log:RecordBytesMax");
    }

    [Fact]
    public async Task A_second_log_on_the_same_folder_is_refused()
    {
        await using var first = Open();
        Should.Throw<EventLogException>(() => Open()).Message.ShouldContain("in use");
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_said_to_be_so()
    {
        File.WriteAllText(_folder.Sub("file"), "");
        var refusal = Should.Throw<EventLogException>(() => new FasterEventLog(_folder.Sub("file/log"), Settings, Small, TimeProvider.System));
        refusal.Message.ShouldContain(_folder.Sub("file/log"));
        refusal.Message.ShouldContain("Check that");
    }

    [Fact]
    public async Task A_partition_that_cannot_be_made_is_said_to_be_so_and_the_others_work()
    {
        await using var log = Open();
        Directory.CreateDirectory(_folder.Sub("events"));
        await File.WriteAllTextAsync(_folder.Sub("events/0"), "in the way");
        (await Should.ThrowAsync<EventLogException>(async () => await log.AppendAsync(Topics.Events, Records(1, 0)))).Message.ShouldContain("Check that");
        (await log.AppendAsync(Topics.Events, Records(1, 1))).Length.ShouldBe(1);
    }

    [Fact]
    public async Task A_disk_that_takes_no_more_is_said_to_be_so_and_what_was_acknowledged_stays()
    {
        await using (var log = Open())
        {
            await log.AppendAsync(Topics.Events, Records(20, 0));
            // The next segment cannot be created: a folder has its name.
            Directory.CreateDirectory(_folder.Sub("events/0/segment.1"));
            var refusal = await Should.ThrowAsync<EventLogException>(async () =>
            {
                for (var i = 0; i < 1000; i++) await log.AppendAsync(Topics.Events, Records(20, 0, valueBytes: 4000));
            });
            refusal.Message.ShouldContain("then restart");
            (await Should.ThrowAsync<EventLogException>(async () => await log.AppendAsync(Topics.Events, Records(1, 0)))).Message.ShouldContain("then restart");
        }
        Directory.Delete(_folder.Sub("events/0/segment.1"));
        await using var again = Open();
        ReadAll(again, 0).Take(20).ShouldBe(Enumerable.Range(0, 20).Select(i => (long)i));
        await again.AppendAsync(Topics.Events, Records(1, 0));
    }

    [Fact]
    public async Task The_dead_letter_topic_has_one_partition()
    {
        await using var log = Open();
        log.PartitionCount(Topics.DeadLetter).ShouldBe(1);
        (await log.AppendAsync(Topics.DeadLetter, new[] { new LogEntry("some user"u8.ToArray(), "v"u8.ToArray(), 1) }))[0].Partition.ShouldBe(0);
    }

    [Fact]
    public async Task An_offset_in_the_middle_of_a_record_or_beyond_the_end_is_refused()
    {
        await using var log = Open();
        var positions = await log.AppendAsync(Topics.Events, Records(2000, 0, valueBytes: 200));
        foreach (var i in (int[])[0, 1, 555, 1999])
        {
            foreach (var inside in (int[])[1, 4, 8, 100])
                Should.Throw<EventLogException>(() => log.OpenReader(Topics.Events, 0, positions[i].Offset + inside)).Message.ShouldContain("middle of a record");
            using var reader = log.OpenReader(Topics.Events, 0, positions[i].Offset);
            var batch = new LogBatch();
            reader.Read(batch, 1).ShouldBe(1);
            batch.Offset(0).ShouldBe(positions[i].Offset);
        }
        var end = (await log.RangeAsync(Topics.Events, 0)).End;
        Should.Throw<EventLogException>(() => log.OpenReader(Topics.Events, 0, end + 4)).Message.ShouldContain("beyond the end");
    }

    [Fact]
    public async Task Reading_goes_over_pages_and_bounds_without_losing_a_record()
    {
        await using var log = Open();
        // 30 KB records leave a gap at the end of each 128 KB page.
        var positions = new List<LogPosition>();
        for (var i = 0; i < 60; i++) positions.AddRange(await log.AppendAsync(Topics.Events, Records(1, 0, firstTime: i, valueBytes: 30_000)));
        using var reader = log.OpenReader(Topics.Events, 0, 0);
        var batch = new LogBatch();
        for (var i = 0; i < 60; i++)
        {
            reader.Read(batch, 100, positions[i].Offset).ShouldBe(i == 0 ? 0 : 1, $"up to record {i}");
            if (i == 0) continue;
            batch.Offset(0).ShouldBe(positions[i - 1].Offset);
            using var other = log.OpenReader(Topics.Events, 0, batch.NextOffset);
            other.Read(batch, 1).ShouldBe(1);
            batch.Offset(0).ShouldBe(positions[i].Offset);
        }
    }

    [Fact]
    public async Task Size_retention_removes_whole_segments_from_the_front()
    {
        await using var log = Open(Settings with { RetentionMbPerPartition = 2 });
        var positions = new List<LogPosition>();
        for (var i = 0; i < 50; i++) positions.AddRange(await log.AppendAsync(Topics.Events, Records(20, 0, firstTime: i * 20, valueBytes: 6000)));
        using var behind = log.OpenReader(Topics.Events, 0, 0);
        await log.RetainAsync(0);
        var range = await log.RangeAsync(Topics.Events, 0);
        (range.End - range.Earliest).ShouldBeInRange(2L << 20, 4L << 20);
        (range.Earliest % (1 << 20)).ShouldBe(0);
        SpinWait.SpinUntil(() => !File.Exists(_folder.Sub("events/0/segment.0")), TimeSpan.FromSeconds(30)).ShouldBeTrue("the file goes when no reader can be in it");
        // A reader below goes on at the earliest record; a new one starts there.
        var first = positions.FindIndex(position => position.Offset >= range.Earliest);
        var batch = new LogBatch();
        behind.Read(batch, 1).ShouldBe(1);
        batch.Offset(0).ShouldBe(positions[first].Offset);
        ReadAll(log, 0).ShouldBe(Enumerable.Range(first, 1000 - first).Select(i => (long)i));
    }

    [Fact]
    public async Task Retention_removes_nothing_of_an_audit()
    {
        await using var log = Open(Settings with { RetentionMbPerPartition = 1, RetentionHours = 1 });
        foreach (var topic in (string[])[Topics.Experiments, Topics.Operations])
        {
            for (var i = 0; i < 50; i++) await log.AppendAsync(topic, Records(20, 0, firstTime: i * 20, valueBytes: 6000));
            var whole = await log.RangeAsync(topic, 0);
            await log.RetainAsync(3 * HourMs);
            (await log.RangeAsync(topic, 0)).ShouldBe(whole);
        }
    }

    [Fact]
    public async Task Time_retention_goes_by_the_newest_record_of_a_segment_also_after_a_restart()
    {
        var settings = Settings with { RetentionHours = 1 };
        await using (var log = Open(settings))
            for (var i = 0; i < 30; i++)
                await log.AppendAsync(Topics.Events, Records(20, 0, firstTime: i < 15 ? 0 : 2 * HourMs, valueBytes: 6000));
        await using var again = Open(settings);
        var whole = await again.RangeAsync(Topics.Events, 0);
        await again.RetainAsync(HourMs);
        (await again.RangeAsync(Topics.Events, 0)).ShouldBe(whole, "nothing is older than an hour yet");
        await again.RetainAsync(HourMs + 1000);
        var cut = await again.RangeAsync(Topics.Events, 0);
        cut.Earliest.ShouldBe(1 << 20, "the second segment holds a newer record");
        cut.End.ShouldBe(whole.End);
        ReadAll(again, 0).Last().ShouldBe(2 * HourMs + 19);
    }

    [Fact]
    public async Task Retention_never_cuts_what_a_group_needs()
    {
        await using var log = Open(Settings with { RetentionMbPerPartition = 1 });
        var positions = new List<LogPosition>();
        for (var i = 0; i < 50; i++) positions.AddRange(await log.AppendAsync(Topics.Events, Records(20, 0, valueBytes: 6000)));
        await log.CommitAsync("fast", Topics.Events, [positions[^1]]);
        await log.CommitAsync("elsewhere", Topics.Events, [new LogPosition(1, 0)]);
        await log.RetainAsync(0);
        (await log.RangeAsync(Topics.Events, 0)).Earliest.ShouldBe(positions[0].Offset, "a group has read nothing of this partition");
        var slow = positions.First(position => position.Offset > 2 << 20);
        await log.CommitAsync("elsewhere", Topics.Events, [slow]);
        await log.RetainAsync(0);
        (await log.RangeAsync(Topics.Events, 0)).Earliest.ShouldBe(2 << 20);
        using var reader = log.OpenReader(Topics.Events, 0, slow.Offset);
        reader.Read(new LogBatch(), 1).ShouldBe(1);
    }

    [Fact]
    public async Task Retention_runs_by_itself_at_its_interval()
    {
        var time = new ManualTime();
        await using var log = new FasterEventLog(_folder.Path, Settings with { RetentionMbPerPartition = 1 }, Small with { LogRetentionIntervalSeconds = 30 }, time);
        for (var i = 0; i < 40; i++) await log.AppendAsync(Topics.Events, Records(20, 0, valueBytes: 6000));
        var whole = await log.RangeAsync(Topics.Events, 0);
        time.Interval.ShouldBe(TimeSpan.FromSeconds(30));
        time.Fire();
        SpinWait.SpinUntil(() => log.RangeAsync(Topics.Events, 0).Result.Earliest > whole.Earliest, TimeSpan.FromSeconds(30)).ShouldBeTrue();
        log.RetentionFailure.ShouldBeNull();
    }

    [Fact]
    public async Task What_retention_removed_stays_removed_after_a_restart()
    {
        LogRange range;
        await using (var log = Open(Settings with { RetentionMbPerPartition = 1 }))
        {
            for (var i = 0; i < 40; i++) await log.AppendAsync(Topics.Events, Records(20, 0, valueBytes: 6000));
            await log.RetainAsync(0);
            range = await log.RangeAsync(Topics.Events, 0);
        }
        await using var again = Open();
        (await again.RangeAsync(Topics.Events, 0)).ShouldBe(range);
        ReadAll(again, 0).Count.ShouldBeGreaterThan(100);
    }

    [Fact]
    public async Task A_damaged_commit_file_is_refused_and_one_torn_slot_is_not()
    {
        await using (var log = Open())
            for (var i = 0; i < 3; i++) await log.AppendAsync(Topics.Events, Records(10, 0, firstTime: i * 10));
        var path = _folder.Sub("events/0/commits");
        var bytes = await File.ReadAllBytesAsync(path);
        var newest = BitConverter.ToInt64(bytes, 5) > BitConverter.ToInt64(bytes, 512 + 5) ? 0 : 1;
        bytes[newest * 512 + 9] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);
        await using (var log = Open()) ReadAll(log, 0).ShouldBe(Enumerable.Range(0, 20).Select(i => (long)i));
        Array.Fill<byte>(bytes, 0xEE);
        await File.WriteAllBytesAsync(path, bytes);
        await using var damaged = Open();
        Should.Throw<EventLogException>(() => damaged.OpenReader(Topics.Events, 0, 0)).Message.ShouldContain("damaged");
    }

    [Fact]
    public async Task A_damaged_record_is_refused_not_returned()
    {
        LogPosition[] positions;
        await using (var log = Open()) positions = await log.AppendAsync(Topics.Events, Records(10, 0));
        var path = _folder.Sub("events/0/segment.0");
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[positions[4].Offset + 14] ^= 0x40;
        await File.WriteAllBytesAsync(path, bytes);
        await using var again = Open();
        using var reader = again.OpenReader(Topics.Events, 0, 0);
        var batch = new LogBatch();
        reader.Read(batch, 100).ShouldBe(4);
        Should.Throw<EventLogException>(() => reader.Read(batch, 100)).Message.ShouldContain("damaged");
        using var past = again.OpenReader(Topics.Events, 0, positions[5].Offset);
        past.Read(batch, 100).ShouldBe(5);
    }

    [Fact]
    public async Task Reading_allocates_nothing_once_warm()
    {
        await using var log = Open();
        await log.AppendAsync(Topics.Events, Records(2000, 0, valueBytes: 200));
        var batch = new LogBatch();
        using var reader = log.OpenReader(Topics.Events, 0, (await log.RangeAsync(Topics.Events, 0)).Earliest);
        for (var i = 0; i < 10; i++) reader.Read(batch, 100).ShouldBe(100);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var read = 0;
        for (var i = 0; i < 10; i++) read += reader.Read(batch, 100);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        read.ShouldBe(1000);
        allocated.ShouldBe(0);
    }

    [Fact]
    public async Task Only_partitions_in_use_are_opened()
    {
        await using var log = Open();
        await log.AppendAsync(Topics.Events, Records(1, 1));
        Directory.Exists(_folder.Sub("events/1")).ShouldBeTrue();
        Directory.Exists(_folder.Sub("events/0")).ShouldBeFalse();
        Directory.Exists(_folder.Sub("feeds")).ShouldBeFalse();
    }

    private FasterEventLog Open(LogSettings? settings = null) => new(_folder.Path, settings ?? Settings, Small, TimeProvider.System);

    /// <summary>Records whose time is their number from <paramref name="firstTime"/> on.</summary>
    private static LogEntry[] Records(int count, int partition, long firstTime = 0, int valueBytes = 10) =>
        [.. Enumerable.Range(0, count).Select(i => new LogEntry(Encoding.UTF8.GetBytes("user"), new byte[valueBytes], firstTime + i, partition))];

    private static List<long> ReadAll(FasterEventLog log, int partition)
    {
        var times = new List<long>();
        var batch = new LogBatch();
        using var reader = log.OpenReader(Topics.Events, partition, 0);
        while (reader.Read(batch, 64) > 0)
            for (var i = 0; i < batch.Count; i++) times.Add(batch.TimeMs(i));
        return times;
    }

    /// <summary>A clock whose only timer fires when the test says so.</summary>
    private sealed class ManualTime : TimeProvider
    {
        private Action? _callback;

        public TimeSpan Interval { get; private set; }

        public void Fire() => _callback!();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, Interval) = (() => callback(state), period);
            return new Timer();
        }

        private sealed class Timer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
                // It never fires by itself.
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
