using System.Diagnostics;
using System.Globalization;
using System.Text;
using Streaming.Actors;
using Streaming.Core.Examples;
using Streaming.Core.Log;
using Streaming.Users;

namespace Streaming.Host.Cli.Cluster;

/// <summary>What a run has left in its log: every user's last state and every example, without what the order of rounds or the models decide.</summary>
internal sealed class ClusterOutcome
{
    private const int BatchRecords = 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private ClusterOutcome(Dictionary<string, string> states, Dictionary<string, int> examples, long repeats, Dictionary<string, long> bytes) =>
        (States, Examples, Repeats, Bytes) = (states, examples, repeats, bytes);

    public IReadOnlyDictionary<string, string> States { get; }

    /// <summary>How often each stands there, repeats told by their source not counted.</summary>
    public IReadOnlyDictionary<string, int> Examples { get; }

    /// <summary>Examples that stand there again under the same source: on a log that shows what was never committed.</summary>
    public long Repeats { get; }

    /// <summary>Bytes of all records of the two topics, keys included.</summary>
    public IReadOnlyDictionary<string, long> Bytes { get; }

    /// <exception cref="InvalidDataException">The brokers have dropped records, so nothing can be said.</exception>
    public static async Task<ClusterOutcome> ReadAsync(IEventLog log, int dimension, CancellationToken cancel)
    {
        var bytes = new Dictionary<string, long> { [Topics.UserState] = 0, [Topics.Examples] = 0 };
        var last = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        await ReadAsync(log, Topics.UserState, (key, value) =>
        {
            bytes[Topics.UserState] += key.Length + value.Length;
            if (key is [not 0, ..]) last[Encoding.UTF8.GetString(key)] = value.ToArray();
        }, cancel).ConfigureAwait(false);
        var states = last.ToDictionary(s => s.Key, s => Essence(UserStateCodec.Read(UserShard.StateOf(s.Value), dimension, s.Key)), StringComparer.Ordinal);
        var examples = new Dictionary<string, int>(StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        long repeats = 0;
        await ReadAsync(log, Topics.Examples, (key, value) =>
        {
            bytes[Topics.Examples] += key.Length + value.Length;
            var record = ExampleCodec.Read(value);
            var (source, name) = NamesOf(record);
            if (!seen.Add(source)) repeats++;
            else examples[name] = examples.GetValueOrDefault(name) + 1;
        }, cancel).ConfigureAwait(false);
        return new ClusterOutcome(states, examples, repeats, bytes);
    }

    /// <summary>Bytes of all records of a topic, keys included.</summary>
    public static async Task<long> BytesAsync(IEventLog log, string topic, CancellationToken cancel)
    {
        long bytes = 0;
        await ReadAsync(log, topic, (key, value) => bytes += key.Length + value.Length, cancel).ConfigureAwait(false);
        return bytes;
    }

    private static (string Source, string Name) NamesOf(ExampleRecord record)
    {
        if (record.Example is { } e)
            return ($"{e.User} {e.Source} {e.Ordinal}", string.Create(CultureInfo.InvariantCulture, $"{e.User} {e.ItemKey:x} {e.ShownMs} {e.LabelMs} {e.Label} {e.Weight} {e.IsCorrection} {e.Action}"));
        var i = record.Interaction!;
        return ($"{i.User} {i.Source} {i.Ordinal}", string.Create(CultureInfo.InvariantCulture, $"{i.User} {i.ItemKey:x} {i.TimeMs} {i.Action}"));
    }

    private static string Essence(UserState s) => string.Create(CultureInfo.InvariantCulture,
        $"{s.Events} {s.Impressions} {s.Positives} {s.LastEventMs} {s.SessionsClosed} {s.Session.Actions.Count} [{string.Join(' ', s.History.Select(a => $"{a.ItemKey:x}@{a.TimeMs}"))}] "
        + $"[{string.Join(' ', s.Pending.Select(p => $"{p.ItemKey:x}"))}] [{string.Join(' ', s.Marks.OrderBy(m => m.Key).Select(m => $"{m.Key:x}:{m.Value.Seen},{m.Value.Clicked}"))}] "
        + $"[{string.Join(' ', s.Interests.OrderBy(i => i.Key).Select(i => $"{i.Key:x}:{i.Value.Weight}"))}]");

    private delegate void OnRecord(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    /// <summary>All partitions side by side: brokers answer for many at once, and mock ones give of each partition one batch an answer.</summary>
    private static async Task ReadAsync(IEventLog log, string topic, OnRecord take, CancellationToken cancel)
    {
        var open = new List<(ILogReader Reader, int Partition, long End)>();
        try
        {
            for (var p = 0; p < log.PartitionCount(topic); p++)
            {
                var range = await log.RangeAsync(topic, p, cancel).ConfigureAwait(false);
                if (range.Earliest > 0 && topic != Topics.Feeds) throw new InvalidDataException($"the brokers have dropped the start of '{topic}' {p}: nothing can be said then; give more --partitions");
                if (range.End > range.Earliest) open.Add((log.OpenReader(topic, p, range.Earliest), p, range.End));
            }
            var batch = new LogBatch();
            for (var waiting = Stopwatch.StartNew(); open.Count > 0;)
            {
                for (var i = open.Count - 1; i >= 0; i--)
                {
                    var (reader, _, end) = open[i];
                    while (reader.Offset < end && reader.Read(batch, BatchRecords, end) > 0)
                    {
                        for (var r = 0; r < batch.Count; r++) take(batch.Key(r).Span, batch.Value(r).Span);
                        waiting.Restart();
                    }
                    if (reader.Offset < end) continue;
                    open.RemoveAt(i);
                    reader.Dispose();
                }
                if (open.Count == 0) return;
                if (waiting.Elapsed > Patience) throw new InvalidDataException($"'{topic}' {open[0].Partition} does not come up to {open[0].End}, where it ends");
                await open[0].Reader.WaitAsync(TimeSpan.FromMilliseconds(20), cancel).ConfigureAwait(false);
            }
        }
        finally
        {
            foreach (var (reader, _, _) in open) reader.Dispose();
        }
    }
}
