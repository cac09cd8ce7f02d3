using System.Text;
using Streaming.Core.Log;

namespace Streaming.Storage.Tests;

/// <summary>A process that appends is killed with SIGKILL; what it had been told is durable must be there.</summary>
public sealed class EventLogKillTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Nothing_acknowledged_is_lost_to_kill_9()
    {
        var lastOffset = new long[Program.Appenders];
        for (var life = 0; life < 2; life++)
        {
            var acknowledged = await AppendUntilKilledAsync(life == 0 ? 400 : 150);
            await using var log = new FasterEventLog(_folder.Path, Program.Log, Program.Storage, TimeProvider.System);
            for (var partition = 0; partition < Program.Appenders; partition++)
            {
                var (number, offset) = acknowledged[partition];
                var own = ReadFromLastStart(log, partition);
                // The batch that was under way may be there as well, or a part of it, but nothing between.
                own.Count.ShouldBeInRange((int)number + 1, (int)number + 1 + Program.RecordsPerBatch);
                own.Select(record => record.Number).ShouldBe(Enumerable.Range(0, own.Count).Select(i => (long)i));
                own[(int)number].Offset.ShouldBe(offset);
                var position = (await log.CommittedAsync($"group {partition}", Topics.Events)).ShouldHaveSingleItem();
                position.Partition.ShouldBe(partition);
                position.Offset.ShouldBeGreaterThanOrEqualTo(offset);
                position.Offset.ShouldBeGreaterThan(lastOffset[partition]);
                lastOffset[partition] = offset;
                // And the log takes more.
                var more = await log.AppendAsync(Topics.Examples, new[] { new LogEntry("u"u8.ToArray(), "v"u8.ToArray(), 1, partition) });
                more[0].Partition.ShouldBe(partition);
            }
        }
    }

    /// <summary>Starts the appending process, kills it after so many acknowledgements, and returns the last one per partition.</summary>
    private async Task<(long Number, long Offset)[]> AppendUntilKilledAsync(int acknowledgements)
    {
        var last = new (long Number, long Offset)[Program.Appenders];
        Array.Fill(last, (-1, -1));
        foreach (var line in await KilledProcess.LinesAsync("append-for-ever", _folder.Path, acknowledgements))
        {
            var fields = line.Split(' ').Select(long.Parse).ToArray();
            last[fields[0]] = (fields[1], fields[2]);
        }
        return last;
    }

    /// <summary>The records of the newest process: each numbers its own from 0.</summary>
    private static List<(long Number, long Offset)> ReadFromLastStart(FasterEventLog log, int partition)
    {
        var records = new List<(long, long)>();
        var batch = new LogBatch();
        using var reader = log.OpenReader(Topics.Events, partition, 0);
        while (reader.Read(batch, 500) > 0)
            for (var i = 0; i < batch.Count; i++)
            {
                var text = Encoding.UTF8.GetString(batch.Value(i).Span);
                var number = long.Parse(text.AsSpan(0, text.IndexOf(' ')));
                text.Length.ShouldBe(text.IndexOf(' ') + 1 + (int)(number % 700));
                if (number == 0) records.Clear();
                records.Add((number, batch.Offset(i)));
            }
        return records;
    }
}
