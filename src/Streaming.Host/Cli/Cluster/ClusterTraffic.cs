using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Host.Cli.Cluster;

/// <summary>
/// Events that come to the same whatever nodes work on them and when: their records' times lie a little ahead, so that no node's own clock, by its
/// ticks, ends a window.
/// </summary>
internal sealed class ClusterTraffic(int events, int partitions, long seed, long startMs)
{
    /// <summary>Windows that end within the run, of <see cref="SpanMs"/>.</summary>
    public const int WindowMs = 20_000;

    private readonly string?[] _shown = new string?[Math.Max(50, events / EventsPerUser)];

    private readonly long[] _actedMs = new long[Math.Max(50, events / EventsPerUser)];

    public int Users => _shown.Length;

    public const int Items = 1_000;

    private const int Burst = 4;

    /// <summary>So few that every state is small: mock brokers keep all versions of it, and little in all.</summary>
    private const int EventsPerUser = 10;

    /// <summary>Users whose lists are looked at: every so-manieth.</summary>
    public IEnumerable<int> Sample => Enumerable.Range(0, Users).Where(u => u % Math.Max(1, Users / 1_000) == 0);

    /// <summary>Time of a user's last action, 0 without one: their list has to have seen it.</summary>
    public long ActedMs(int user) => _actedMs[user];

    private long SpanMs => events;

    public static string UserOf(int number) => $"u{number}";

    public async Task AppendItemsAsync(IEventLog log, CancellationToken cancel) =>
        await log.AppendAsync(Topics.Items, Enumerable.Range(0, Items).Select(i =>
            new LogEntry(Bytes($"i{i}"), Bytes($$"""{"id":"i{{i}}","tags":["t{{i % 25}}"],"published":{{startMs - 86_400_000}}}"""), startMs)).ToArray(), cancel).ConfigureAwait(false);

    /// <summary>The events from one number up to another, to each user's partition.</summary>
    public async Task AppendAsync(IEventLog log, int from, int to, CancellationToken cancel)
    {
        var entries = new List<LogEntry>(1_000);
        for (var i = from; i < to; i++)
        {
            entries.Add(Event(i));
            if (entries.Count < 1_000 && i + 1 < to) continue;
            await log.AppendAsync(Topics.Events, entries.ToArray(), cancel).ConfigureAwait(false);
            entries.Clear();
        }
    }

    /// <summary>Ends every window.</summary>
    public async Task AppendEndAsync(IEventLog log, CancellationToken cancel)
    {
        var timeMs = startMs + SpanMs + 2 * WindowMs;
        var json = new ByteWriter();
        EventWriter.Write(new UserEvent { Kind = EventKind.Tick, Type = "tick", User = "", TimeMs = timeMs }, json);
        await log.AppendAsync(Topics.Events, Enumerable.Range(0, partitions).Select(p => new LogEntry(default, json.WrittenMemory, timeMs, p)).ToArray(), cancel).ConfigureAwait(false);
    }

    private LogEntry Event(int i)
    {
        var draw = StableHash.Finalise(StableHash.Combine((ulong)seed, (ulong)i));
        // A few events of one user after the other, as people browse.
        var number = (int)(StableHash.Finalise(StableHash.Combine((ulong)seed, 0x1_0000_0000UL + (uint)(i / Burst))) % (ulong)Users);
        var (user, timeMs) = (UserOf(number), startMs + i);
        var kind = draw / 100_000 % 100;
        // Few of them are about something not shown, and those are shown first.
        var type = _shown[number] is null || kind < 80 ? "impression" : kind < 95 ? "click" : "like";
        if (type != "impression") _actedMs[number] = timeMs;
        else _shown[number] = $"i{draw / 10_000_000 % (ulong)Items}";
        return new LogEntry(Bytes(user), Bytes($$"""{"type":"{{type}}","user":"{{user}}","item":"{{_shown[number]}}","event_id":"e{{i}}","time":{{timeMs}}}"""), timeMs);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
