using System.Diagnostics;
using Streaming.Core.Settings;

namespace Streaming.Host.Cli;

/// <summary>Events per second through the whole path of one node on the embedded log.</summary>
internal static class PipelineBench
{
    private const int BatchEvents = 500;

    public static async Task<int> RunAsync(StreamingSettings given, int events, int users, int items, bool json, CancellationToken cancel)
    {
        // Windows must end within the measurement, or the negatives would be joined and learned after it.
        var settings = given with { Users = given.Users with { AttributionWindowMs = 500 } };
        var traffic = new BenchTraffic(users, items, settings.Node.Seed);
        var warm = traffic.Events(Math.Min(events, 100_000));
        var measured = traffic.Events(events);
        var folder = Directory.CreateTempSubdirectory("streaming-bench-");
        try
        {
            using var logs = Logging.CreateFactory();
            await using var running = await RunningNode.OpenAsync(settings, folder.FullName, Logging.Notices(logs.CreateLogger("Streaming")), cancel).ConfigureAwait(false);
            var node = running.Node;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            var loop = Task.Run(() => node.RunAsync(stop.Token), CancellationToken.None);
            await node.Ingest.ItemsAsync([.. traffic.Items(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds())], cancel).ConfigureAwait(false);
            await PushAsync(running, warm, cancel).ConfigureAwait(false);
            var before = node.Status();
            var allocated = GC.GetTotalAllocatedBytes();
            var cpu = Process.GetCurrentProcess().TotalProcessorTime;
            var clock = Stopwatch.StartNew();
            await ProgressView.RunAsync("pipeline", json, async progress =>
            {
                await PushAsync(running, measured, cancel, progress).ConfigureAwait(false);
                return 0;
            }).ConfigureAwait(false);
            var seconds = clock.Elapsed.TotalSeconds;
            cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
            var after = node.Status();
            await stop.CancelAsync().ConfigureAwait(false);
            await loop.ConfigureAwait(false);
            var figures = new (string, object?)[]
            {
                ("counts", "wall time from the first append until every event is parsed, durable in the log, joined, learned (its window ended too), and every list that a click made stale is in the cache; " + BenchTraffic.Mix),
                ("events", events), ("seconds", seconds), ("events_per_s", events / seconds),
                ("applied", after.Users.Applied - before.Users.Applied), ("examples", after.Examples - before.Examples),
                ("lists", after.Users.Lists - before.Users.Lists), ("lost", events - (after.Users.Applied - before.Users.Applied)),
                ("dead_letters", after.Users.DeadLetters), ("rounds", after.Rounds - before.Rounds),
                ("cpu_seconds", cpu.TotalSeconds), ("bytes_allocated_per_event", (GC.GetTotalAllocatedBytes() - allocated) / (double)events),
                ("phase_seconds", after.PhaseSeconds.Zip(before.PhaseSeconds, (a, b) => Math.Round(a - b, 2))),
                ("click_to_list_ms_p50", after.ClickToListMsP50), ("click_to_list_ms_p99", after.ClickToListMsP99),
                ("users", users), ("items", items), ("peak_rss_mb", Machine.PeakRssMb()), ("seed", settings.Node.Seed), ("hardware", Machine.Hardware),
            };
            if (json) JsonLine.Print(figures);
            else Tables.Print("Pipeline", figures);
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Appends batch after batch, four in flight, and returns once everything is applied, joined and listed.</summary>
    private static async Task PushAsync(RunningNode running, ReadOnlyMemory<byte>[] events, CancellationToken cancel, Action<double>? progress = null)
    {
        var node = running.Node;
        var target = node.Status().Users.Applied + events.Length;
        var lead = running.Settings.Node.RoundEventsMax * 4L;
        var inFlight = new Queue<Task>();
        for (var at = 0; at < events.Length; at += BatchEvents)
        {
            progress?.Invoke((double)at / events.Length);
            inFlight.Enqueue(node.Ingest.EventsAsync(new ArraySegment<ReadOnlyMemory<byte>>(events, at, Math.Min(BatchEvents, events.Length - at)), cancel));
            if (inFlight.Count >= 4) await inFlight.Dequeue().ConfigureAwait(false);
            while (target - events.Length + at - node.Status().Users.Applied > lead) await Task.Delay(1, cancel).ConfigureAwait(false);
        }
        await Task.WhenAll(inFlight).ConfigureAwait(false);
        while (!await IsDoneAsync(running, target).ConfigureAwait(false)) await Task.Delay(2, cancel).ConfigureAwait(false);
    }

    private static async Task<bool> IsDoneAsync(RunningNode running, long target)
    {
        var node = running.Node;
        if (node.Status().Users.Applied < target || node.ListsWaiting > 0) return false;
        var pending = await node.PendingImpressionsAsync().ConfigureAwait(false);
        return pending == 0;
    }
}
