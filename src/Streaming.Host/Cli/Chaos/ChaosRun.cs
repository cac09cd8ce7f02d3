using System.Diagnostics;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Node;

namespace Streaming.Host.Cli.Chaos;

/// <summary>How long, how much and with what.</summary>
/// <param name="Seconds">How long the node is killed again and again.</param>
/// <param name="EventsPerSecond">Offered by all senders together while the node answers.</param>
/// <param name="NodeArguments">What every start of the node gets, the data folder and the log among it.</param>
/// <param name="Settings">The same, loaded, for the check at the end.</param>
/// <param name="DataDir">The node's data.</param>
/// <param name="Seed">Of what is sent and of when the node is killed.</param>
internal sealed record ChaosPlan(
    int Seconds, int EventsPerSecond, IReadOnlyList<string> NodeArguments, StreamingSettings Settings, string DataDir, long Seed);

/// <summary>
/// A node in a process of its own, senders, and kill -9 at random moments: while it starts, catches up, takes events, writes
/// checkpoints. At the end it is killed once more, its folder is opened, and every event is looked for (<see cref="ChaosCheck"/>).
/// </summary>
internal sealed class ChaosRun(ChaosPlan plan, Action<string> complaints)
{
    private const int Senders = 4;
    private const int UsersPerSender = 50;

    private readonly Random _random = new((int)plan.Seed);
    private readonly int _port = NodeProcess.FreePort();
    private readonly ChaosLedger _probes = new(Senders, users: 5);
    private readonly List<double> _fresh = [];

    /// <summary>Kills, the last one before the check included.</summary>
    public int Kills { get; private set; }

    /// <summary>Kills before the restarted node had a fresh list: those starts have no time to one.</summary>
    public int KillsWhileStarting { get; private set; }

    /// <summary>Milliseconds from the start of the process to a list that has seen an event sent after it.</summary>
    public IReadOnlyList<double> FreshMs => _fresh;

    public IReadOnlyList<ChaosLedger> Ledgers { get; private set; } = [];

    /// <summary>Runs it all.</summary>
    /// <exception cref="InvalidDataException">The node ended by itself, or did not come back.</exception>
    public async Task<ChaosOutcome> RunAsync(Action<double>? progress, CancellationToken cancel)
    {
        var address = new Uri($"http://127.0.0.1:{_port}");
        Ledgers = [.. Enumerable.Range(0, Senders).Select(i => new ChaosLedger(i, UsersPerSender)), _probes];
        var senders = Ledgers.Select(ledger => new ChaosSender(ledger, address, plan.Seed)).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            var node = Start();
            try
            {
                await FirstAsync(node, senders[^1], cancel).ConfigureAwait(false);
                // The first start finds an empty folder: it says nothing of coming back.
                _fresh.Clear();
                var load = senders.Take(Senders)
                    .Select(sender => Task.Run(() => sender.RunAsync((double)plan.EventsPerSecond / Senders, stop.Token, cancel), CancellationToken.None)).ToList();
                var clock = Stopwatch.StartNew();
                while (clock.Elapsed.TotalSeconds < plan.Seconds)
                {
                    progress?.Invoke(clock.Elapsed.TotalSeconds / plan.Seconds);
                    await UpAsync(node, senders[^1], cancel).ConfigureAwait(false);
                    node = await RestartAsync(node, cancel).ConfigureAwait(false);
                    foreach (var ended in load.Where(task => task.IsFaulted)) await ended.ConfigureAwait(false);
                }
                await FreshAsync(node, senders[^1], cancel).ConfigureAwait(false);
                await stop.CancelAsync().ConfigureAwait(false);
                await Task.WhenAll(load).ConfigureAwait(false);
                await KillAsync(node).ConfigureAwait(false);
            }
            finally
            {
                node.Dispose();
            }
            return await CheckAsync(plan.Settings, plan.DataDir, Ledgers, complaints, cancel).ConfigureAwait(false);
        }
        finally
        {
            foreach (var sender in senders) sender.Dispose();
        }
    }

    /// <summary>Opens a node's folder, lets it take in what its log holds, and checks the ledgers against it.</summary>
    public static async Task<ChaosOutcome> CheckAsync(
        StreamingSettings settings, string dataDir, IReadOnlyList<ChaosLedger> ledgers, Action<string> complaints, CancellationToken cancel)
    {
        var running = await RunningNode.OpenAsync(
            settings, dataDir, notice => { if (notice.Level != NoticeLevel.Info) complaints(notice.Message); }, cancel).ConfigureAwait(false);
        await using var _ = running.ConfigureAwait(false);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var run = running.Node.RunAsync(stop.Token);
        try
        {
            await ReadUpAsync(running.Node, run, cancel).ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await run.ConfigureAwait(false);
        }
        return await new ChaosCheck(ledgers).RunAsync(running.Node, cancel).ConfigureAwait(false);
    }

    /// <summary>Waits until the node has read all that its log holds now: a log behind a network has nothing at once for a reader that has just asked.</summary>
    private static async Task ReadUpAsync(StreamingNode node, Task run, CancellationToken cancel)
    {
        for (var partition = 0; partition < node.Partitions; partition++)
        {
            var end = (await node.Log.RangeAsync(Topics.Events, partition, cancel).ConfigureAwait(false)).End;
            var started = Stopwatch.GetTimestamp();
            while (node.EventPositions[partition] < end)
            {
                if (run.IsCompleted) return;
                if (Stopwatch.GetElapsedTime(started).TotalSeconds > 60)
                    throw new InvalidDataException($"the node has read '{Topics.Events}' {partition} up to {node.EventPositions[partition]} and no further; the log ends at {end}");
                await Task.Delay(10, cancel).ConfigureAwait(false);
            }
        }
    }

    private async Task FirstAsync(NodeProcess node, ChaosSender probe, CancellationToken cancel)
    {
        await node.WaitReadyAsync(cancel).ConfigureAwait(false);
        await probe.SendItemsAsync(100, cancel).ConfigureAwait(false);
        await FreshAsync(node, probe, cancel).ConfigureAwait(false);
    }

    private NodeProcess Start() => NodeProcess.Start(_port, plan.NodeArguments, complaints);

    /// <summary>Lets the node live for a while: mostly until some time after it is back, now and then not even that long.</summary>
    private async Task UpAsync(NodeProcess node, ChaosSender probe, CancellationToken cancel)
    {
        if (_random.Next(6) == 0)
        {
            KillsWhileStarting++;
            await Task.Delay(_random.Next(0, 1_000), cancel).ConfigureAwait(false);
            return;
        }
        await FreshAsync(node, probe, cancel).ConfigureAwait(false);
        var longest = Math.Clamp(plan.Seconds / 50.0, .8, 6);
        await Task.Delay(TimeSpan.FromSeconds(.05 + _random.NextDouble() * longest), cancel).ConfigureAwait(false);
    }

    private async Task<NodeProcess> RestartAsync(NodeProcess node, CancellationToken cancel)
    {
        await KillAsync(node).ConfigureAwait(false);
        await Task.Delay(_random.Next(0, 200), cancel).ConfigureAwait(false);
        return Start();
    }

    private async Task KillAsync(NodeProcess node)
    {
        if (node.HasExited)
        {
            await node.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            throw new InvalidDataException($"the node ended by itself with code {node.ExitCode}");
        }
        await node.KillAsync().ConfigureAwait(false);
        node.Dispose();
        Kills++;
    }

    /// <summary>Clicks, and waits for a list that has seen it; records how long that was after the start of the process.</summary>
    private async Task FreshAsync(NodeProcess node, ChaosSender probe, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            var click = _probes.Add(ChaosKind.Click);
            var position = (await probe.SendAsync([click], patience.Token).ConfigureAwait(false))!;
            while (!await probe.HasFreshListAsync(_probes.UserOf(click), position, patience.Token).ConfigureAwait(false))
                await Task.Delay(5, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new InvalidDataException(node.HasExited ? $"the node ended by itself with code {node.ExitCode}" : "the node had no fresh list within 60 s of its start");
        }
        _fresh.Add(Stopwatch.GetElapsedTime(node.StartedAt).TotalMilliseconds);
    }
}
