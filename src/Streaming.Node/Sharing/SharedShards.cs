using System.Diagnostics;
using Streaming.Actors;
using Streaming.Core.Examples;
using Streaming.Core.Log;
using Streaming.Core.Threads;

namespace Streaming.Node.Sharing;

/// <summary>
/// The node's part of the shards, where nodes share them: it leads those that the group gives it, and follows the others from the log, so that what it
/// is given it can go on with at once. Lives on the rounds' thread, between rounds: a shard that moves stops no other.
/// </summary>
internal sealed class SharedShards : IDisposable
{
    private const int FollowRecordsMax = 512;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly NodeParts _parts;
    private readonly ISharedLog _log;
    private readonly IPartitionShare? _share;
    private readonly UserShard[] _shards;
    private readonly PartitionSink[] _sinks;
    private readonly IShardHost _host;
    private readonly FeedsTail _feeds;
    private readonly LearningOrder _order;
    private readonly Rounds _rounds;
    private readonly RoundOutputs _outputs;
    private readonly Seat[] _seats;
    private readonly LogBatch _batch = new();
    private readonly bool _standsBy;
    private volatile int[] _leading = [];
    private int[] _givingUp = [];
    private Task<long[]>? _catalogue;
    private bool _hasCatalogue;
    private (Task Task, List<int> Shards)? _opening;

    private enum Phase
    {
        /// <summary>Another node leads, or none.</summary>
        Following,

        /// <summary>To be led here once everything of the leader before is in.</summary>
        Coming,

        /// <summary>Everything is in, and the host is opening it.</summary>
        Opening,

        Leading,
    }

    /// <summary>Ends of the topics once the leader before can write nothing more.</summary>
    private sealed record Ends(long Changelog, long Examples, long Feeds, long Events, long Items);

    private sealed class Seat
    {
        public Phase Phase;
        public ILogReader? Changelog;
        public ILogReader? Examples;
        public long ChangelogFrom;
        public long ExamplesFrom;

        /// <summary>Whether the log shows nothing but what is committed: then it has positions of the group to show.</summary>
        public bool IsIsolated;

        public Task<long>? FirstEnd;
        public Task<Ends>? Ends;
        public long Since;
        public long NotBefore;
    }

    /// <param name="parts">The node's.</param>
    /// <param name="log">Begun.</param>
    /// <param name="share">Its place in the group; null for a node that leads none.</param>
    /// <param name="shards">One per partition; each follows.</param>
    /// <param name="sinks">Of the shards.</param>
    /// <param name="host">Runs those that are led here; none yet.</param>
    /// <param name="feeds">Brings in others' lists.</param>
    /// <param name="rounds">Of the node; they read the events of those that are led here.</param>
    /// <param name="outputs">Of the rounds.</param>
    /// <param name="from">Where to go on.</param>
    public SharedShards(
        NodeParts parts, ISharedLog log, IPartitionShare? share, UserShard[] shards, PartitionSink[] sinks, IShardHost host, FeedsTail feeds, Rounds rounds,
        RoundOutputs outputs, SharedPositions from)
    {
        (_parts, _log, _share, _shards, _sinks, _host, _feeds, _rounds, _outputs) = (parts, log, share, shards, sinks, host, feeds, rounds, outputs);
        _order = rounds.Order;
        _standsBy = share is not null && parts.Settings.Kafka.Standby;
        _seats = [.. shards.Select((_, p) => new Seat { ChangelogFrom = from.Changelog[p], ExamplesFrom = from.Examples[p] })];
    }

    private IThreads Threads => _parts.Threads;

    /// <summary>Partitions led here, ascending. Any thread.</summary>
    public IReadOnlyList<int> Leading => _leading;

    /// <summary>Shards given to this node that it is not ready for yet. Any thread, roughly.</summary>
    public int Coming => _seats.Count(s => s.Phase is Phase.Coming or Phase.Opening);

    /// <summary>Whether shards are between the store, where they followed, and the host: no moment for a checkpoint.</summary>
    public bool IsOpening => _opening is not null;

    public bool Leads(int partition) => Array.BinarySearch(_leading, partition) >= 0;

    /// <summary>Shards that came here and were led within; for figures.</summary>
    public long Moves { get; private set; }

    /// <summary>How long the last shard took from being given to being led, ms.</summary>
    public double LastMoveMs { get; private set; }

    /// <summary>Before each round: gives up, follows, takes over. Returns how many records it took.</summary>
    public int Step()
    {
        // The host opens shards one call at a time; those that are led already go on meanwhile.
        if (_opening is { } opening && !TakeOpened(opening)) return FollowOthers();
        var state = _share?.Now ?? ShareState.None;
        Lose(state.Lost);
        if (_outputs.IsSettled)
        {
            EndGivingUp();
            GiveUp(state.Leaving);
        }
        foreach (var p in state.Mine)
            if (_seats[p].Phase == Phase.Following && !_givingUp.Contains(p))
                (_seats[p].Phase, _seats[p].Since) = (Phase.Coming, Stopwatch.GetTimestamp());
        foreach (var (seat, p) in _seats.Select((seat, p) => (seat, p)))
            if (seat.Phase == Phase.Coming && !state.Mine.Contains(p)) seat.Phase = Phase.Following;
        var taken = FollowOthers();
        if (_outputs.IsSettled) Lead();
        return taken;
    }

    private int FollowOthers()
    {
        var taken = 0;
        for (var p = 0; p < _seats.Length; p++)
            if (_seats[p].Phase is Phase.Following or Phase.Coming) taken += Follow(p, _seats[p]);
        return taken;
    }

    /// <summary>Hands everything over, as the node stops: it has run its last round. Lists and states are in the log.</summary>
    public async Task LeaveAsync()
    {
        if (_share is null) return;
        if (_opening is { } opening)
        {
            await opening.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            TakeOpened(opening);
        }
        GiveUp(_leading);
        EndGivingUp();
        await _share.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Where a next run goes on; everything that was derived so far is committed.</summary>
    public SharedPositions Positions()
    {
        var feeds = new long[_seats.Length];
        var (changelog, examples) = (new long[_seats.Length], new long[_seats.Length]);
        for (var p = 0; p < _seats.Length; p++)
        {
            var seat = _seats[p];
            if (seat.Phase == Phase.Leading)
            {
                (changelog[p], examples[p], feeds[p]) = (EndOf(Topics.UserState, p), EndOf(Topics.Examples, p), EndOf(Topics.Feeds, p));
                // Should it be lost, all that others may have learned since is read again; repeats are told.
                (seat.ChangelogFrom, seat.ExamplesFrom) = (changelog[p], examples[p]);
                continue;
            }
            _shards[p].Flush();
            (changelog[p], examples[p]) = (seat.Changelog?.Offset ?? seat.ChangelogFrom, seat.Examples?.Offset ?? seat.ExamplesFrom);
        }
        return new SharedPositions(changelog, examples, _feeds.Positions(feeds));
    }

    public void Dispose()
    {
        foreach (var seat in _seats) Close(seat);
        // In order it has left before; else the others find out by its silence.
        if (_share is not null) Threads.Block(_share.DisposeAsync().AsTask());
    }

    private long EndOf(string topic, int partition) => Threads.Block(_log.RangeAsync(topic, partition).AsTask()).End;

    private static void Close(Seat seat)
    {
        if (seat.Changelog is { } changelog) seat.ChangelogFrom = changelog.Offset;
        if (seat.Examples is { } examples) seat.ExamplesFrom = examples.Offset;
        seat.Changelog?.Dispose();
        seat.Examples?.Dispose();
        (seat.Changelog, seat.Examples, seat.FirstEnd, seat.Ends) = (null, null, null, null);
    }

    /// <summary>Others may be at work on these: what was not committed of them is gone, and comes again from the log.</summary>
    private void Lose(IReadOnlyList<int> lost)
    {
        if (lost.Count == 0) return;
        var led = lost.Where(p => _seats[p].Phase == Phase.Leading || _givingUp.Contains(p)).ToList();
        if (led.Count > 0)
        {
            Threads.Block(_host.DropAsync(led));
            foreach (var p in led)
            {
                _rounds.Close(p);
                _sinks[p].Drop();
                _shards[p].Abandon();
                var seat = _seats[p];
                (seat.Phase, seat.ChangelogFrom) = (Phase.Following, 0);
                _feeds.Take(p, EndOf(Topics.Feeds, p));
            }
            _givingUp = [.. _givingUp.Except(led)];
            SetLeading();
            Say(NoticeLevel.Warning, $"the group took shards {string.Join(", ", led)} from this node, which was too slow to answer; what it had not committed of them is done again by the others");
        }
        foreach (var p in lost.Except(led)) _seats[p].Phase = Phase.Following;
        _share!.Release(lost);
    }

    /// <summary>Ends these shards here and tells so in the log; they are released once that is committed.</summary>
    private void GiveUp(IReadOnlyList<int> leaving)
    {
        foreach (var p in leaving)
            if (_seats[p].Phase == Phase.Coming) _seats[p].Phase = Phase.Following;
        var led = leaving.Where(p => _seats[p].Phase == Phase.Leading).ToArray();
        var other = leaving.Except(led).Except(_givingUp).ToList();
        if (other.Count > 0) _share!.Release(other);
        if (led.Length == 0) return;
        Threads.Block(_host.WantAsync([.. _leading.Except(led)]));
        foreach (var p in led)
        {
            _shards[p].TellHandOver();
            _sinks[p].Announce(LeaderAddress.None);
        }
        _givingUp = led;
        _outputs.Commit(_rounds.EventPositions, _rounds.ItemPositions, patient: true);
        if (_outputs.IsSettled) EndGivingUp();
    }

    private void EndGivingUp()
    {
        if (_givingUp.Length == 0) return;
        foreach (var p in _givingUp)
        {
            _rounds.Close(p);
            _shards[p].StartFollowing();
            var seat = _seats[p];
            seat.Phase = Phase.Following;
            // Perhaps a little before this node's own last records: they are taken as what they are, repeats.
            (seat.ChangelogFrom, seat.ExamplesFrom) = (EndOf(Topics.UserState, p), EndOf(Topics.Examples, p));
            _feeds.Take(p, EndOf(Topics.Feeds, p));
        }
        SetLeading();
        Say(NoticeLevel.Info, $"shards {string.Join(", ", _givingUp)} handed over");
        _share!.Release(_givingUp);
        _givingUp = [];
    }

    private int Follow(int p, Seat seat)
    {
        // A node that never leads needs neither states nor what is learned from examples.
        if (_share is null) return 0;
        var taken = 0;
        if (seat.Examples is null)
        {
            if (Stopwatch.GetTimestamp() < seat.NotBefore) return 0;
            if (!TryOpen(p, seat)) return 0;
        }
        if (seat.Examples!.Read(_batch, FollowRecordsMax) > 0)
        {
            var records = new List<ExampleRecord>(_batch.Count);
            for (var i = 0; i < _batch.Count; i++) records.Add(ExampleCodec.Read(_batch.Value(i).Span));
            _order.Add(p, records);
            taken += records.Count;
        }
        if (!_standsBy && seat.Phase == Phase.Following) return taken;
        seat.Changelog ??= _log.OpenReader(Topics.UserState, p, seat.ChangelogFrom);
        if (seat.Changelog.Read(_batch, FollowRecordsMax) == 0) return taken;
        _shards[p].Follow(_batch, seat.IsIsolated);
        return taken + _batch.Count;
    }

    private bool TryOpen(int p, Seat seat)
    {
        try
        {
            seat.IsIsolated = Threads.Block(_log.CommittedAsync(RoundOutputs.Group, Topics.Events).AsTask()).Any(position => position.Partition == p);
            seat.Examples = _log.OpenReader(Topics.Examples, p, seat.ExamplesFrom);
            return true;
        }
        catch (EventLogException problem)
        {
            seat.NotBefore = Stopwatch.GetTimestamp() + (long)(RetryInterval.TotalSeconds * Stopwatch.Frequency);
            Say(NoticeLevel.Warning, $"shard {p} cannot be followed: {problem.Message}");
            return false;
        }
    }

    /// <summary>Takes up the shards that have all that their leader before has committed.</summary>
    private void Lead()
    {
        List<int>? ready = null;
        if (!HasCatalogue()) return;
        for (var p = 0; p < _seats.Length; p++)
            if (_seats[p] is { Phase: Phase.Coming, Changelog: not null } seat && IsComplete(p, seat)) (ready ??= []).Add(p);
        if (ready is null) return;
        foreach (var p in ready)
        {
            var seat = _seats[p];
            var ends = seat.Ends!.Result;
            Close(seat);
            _feeds.Leave(p);
            _shards[p].Lead();
            _outputs.Start(p, _shards[p].NextOffset, ends.Items);
            seat.Phase = Phase.Opening;
        }
        _opening = (_host.WantAsync([.. _leading.Concat(ready)]), ready);
        TakeOpened(_opening.Value);
    }

    /// <summary>False while the host is at it.</summary>
    /// <exception cref="Exception">What the host threw: the node cannot go on.</exception>
    private bool TakeOpened((Task Task, List<int> Shards) opening)
    {
        if (!opening.Task.IsCompleted) return false;
        _opening = null;
        Threads.Block(opening.Task);
        var ready = opening.Shards;
        foreach (var p in ready)
        {
            var seat = _seats[p];
            _sinks[p].Announce(new LeaderAddress(_parts.Settings.Node.Advertise, _parts.Settings.Node.AdvertiseAdmin));
            _rounds.Open(p, _shards[p].NextOffset);
            seat.Phase = Phase.Leading;
            Moves++;
            LastMoveMs = Stopwatch.GetElapsedTime(seat.Since).TotalMilliseconds;
        }
        SetLeading();
        Say(NoticeLevel.Info, $"leads shards {string.Join(", ", ready)} now, {_leading.Length} in all; the last took {LastMoveMs:0} ms");
        return true;
    }

    /// <summary>
    /// First to the end as it is: there stands who led before. That one is ended, unless it has handed over; then to the end for good.
    /// </summary>
    private bool IsComplete(int p, Seat seat)
    {
        seat.FirstEnd ??= FirstEndAsync(p);
        if (!TryTake(p, seat.FirstEnd, out var first, () => seat.FirstEnd = null) || seat.Changelog!.Offset < first) return false;
        seat.Ends ??= EndsAsync(p, _shards[p].Leader);
        if (!TryTake(p, seat.Ends, out var ends, () => seat.Ends = null)) return false;
        return seat.Changelog.Offset >= ends!.Changelog && seat.Examples!.Offset >= ends.Examples && _feeds.OffsetOf(p) >= ends.Feeds && _shards[p].NextOffset >= ends.Events;
    }

    private bool TryTake<T>(int p, Task<T> task, out T? value, Action again)
    {
        value = default;
        if (!task.IsCompleted) return false;
        if (task.IsCompletedSuccessfully)
        {
            value = task.Result;
            return true;
        }
        Say(NoticeLevel.Warning, $"shard {p} cannot be taken over yet: {task.Exception!.InnerException!.Message}");
        again();
        return false;
    }

    private async Task<long> FirstEndAsync(int p) => (await _log.RangeAsync(Topics.UserState, p).ConfigureAwait(false)).End;

    private async Task<Ends> EndsAsync(int p, string leader)
    {
        if (leader.Length > 0 && leader != _log.Writer) await _log.FenceAsync(leader).ConfigureAwait(false);
        var (events, items) = (await CommittedAsync(Topics.Events, p).ConfigureAwait(false), await CommittedAsync(Topics.Items, p).ConfigureAwait(false));
        async Task<long> End(string topic) => (await _log.RangeAsync(topic, p).ConfigureAwait(false)).End;
        return new Ends(await End(Topics.UserState).ConfigureAwait(false), await End(Topics.Examples).ConfigureAwait(false), await End(Topics.Feeds).ConfigureAwait(false), events, items);
    }

    /// <summary>What it knows of items goes into users' interests, so nothing is led before the catalogue is in, as it was when this node came.</summary>
    private bool HasCatalogue()
    {
        if (_hasCatalogue) return true;
        _catalogue ??= CatalogueEndsAsync();
        if (!TryTake(0, _catalogue, out var ends, () => _catalogue = null)) return false;
        return _hasCatalogue = _rounds.ItemPositions.Zip(ends!).All(item => item.First >= item.Second);
    }

    private async Task<long[]> CatalogueEndsAsync()
    {
        var ends = new long[_log.PartitionCount(Topics.Items)];
        for (var p = 0; p < ends.Length; p++) ends[p] = (await _log.RangeAsync(Topics.Items, p).ConfigureAwait(false)).End;
        return ends;
    }

    private async Task<long> CommittedAsync(string topic, int partition) =>
        (await _log.CommittedAsync(RoundOutputs.Group, topic).ConfigureAwait(false)).FirstOrDefault(position => position.Partition == partition).Offset;

    private void SetLeading() => _leading = [.. Enumerable.Range(0, _seats.Length).Where(p => _seats[p].Phase == Phase.Leading)];

    private void Say(NoticeLevel level, string what) => _parts.Notice(new NodeNotice(level, what));
}
