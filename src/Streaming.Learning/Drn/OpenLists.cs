using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Learning.Drn;

/// <summary>
/// Lists whose outcome is not known yet. A list's examples come one by one, clicks at once and the rest when their attribution window ends; it is
/// whole once event time has passed the window of its last impression by a slack, for events of many users end each other's windows a little late.
/// Event time is that of the list's own partition of <c>events</c>, which goes on by itself. Lists leave in the order of their last showing, so a
/// user's lists leave in the order in which they were shown. Bounded: beyond <paramref name="listsMax"/> the oldest leave as they are.
/// </summary>
/// <param name="waitMs">Attribution window and slack, ms.</param>
/// <param name="listsMax">Lists at most.</param>
/// <param name="slotsMax">Slots of a list at most; what is shown beyond is left out.</param>
internal sealed class OpenLists(long waitMs, int listsMax, int slotsMax)
{
    private const int PartitionsMax = 1 << 16;

    private readonly Dictionary<(ulong User, long Version), OpenList> _lists = [];
    private readonly SortedSet<OpenList> _byTime = new(Comparer<OpenList>.Create(static (a, b) => a.CompareTo(b)));
    private readonly SortedDictionary<int, long> _clocks = [];
    private readonly List<OpenList> _taken = [];
    private long _opened;

    public int Count => _lists.Count;

    /// <summary>Examples whose list had left already.</summary>
    public long Late { get; private set; }

    /// <summary>Takes in one example of a list, in the order of the log.</summary>
    /// <param name="example">With dense features and a list version.</param>
    /// <param name="stateLength">S: the first features are the state's, the others the action's.</param>
    /// <param name="duels">Whether the list's teams were the network's and a perturbation's of it.</param>
    public void Add(Example example, int stateLength, bool duels)
    {
        var partition = example.Source.Partition;
        var clock = Math.Max(_clocks.GetValueOrDefault(partition, long.MinValue), example.LabelMs);
        _clocks[partition] = clock;
        var key = (StableHash.Of(example.User), example.ListVersion);
        if (!_lists.TryGetValue(key, out var list))
        {
            if (example.IsCorrection || example.ShownMs + waitMs < clock)
            {
                Late++;
                return;
            }
            list = new OpenList(key.Item1, key.ListVersion, partition, _opened++, example.Dense[..stateLength], duels) { LastShownMs = example.ShownMs };
            _lists.Add(key, list);
        }
        else
        {
            _byTime.Remove(list);
            list.LastShownMs = Math.Max(list.LastShownMs, example.ShownMs);
        }
        list.Show(example, stateLength, slotsMax);
        _byTime.Add(list);
    }

    /// <summary>Takes out the lists that are whole, and those too many, in order.</summary>
    public IReadOnlyList<OpenList> Take()
    {
        _taken.Clear();
        foreach (var list in _byTime)
            if (_lists.Count - _taken.Count > listsMax || list.LastShownMs + waitMs < _clocks[list.Partition]) _taken.Add(list);
        foreach (var list in _taken)
        {
            _byTime.Remove(list);
            _lists.Remove((list.User, list.Version));
        }
        return _taken;
    }

    /// <summary>Drops the lists of a user who asked to be forgotten.</summary>
    public void Forget(ulong user)
    {
        foreach (var list in _byTime.Where(list => list.User == user).ToList())
        {
            _byTime.Remove(list);
            _lists.Remove((list.User, list.Version));
        }
    }

    public void Save(CheckpointWriter into)
    {
        into.Int64(_opened);
        into.Int64(Late);
        into.Int32(_clocks.Count);
        foreach (var (partition, clock) in _clocks)
        {
            into.Int32(partition);
            into.Int64(clock);
        }
        into.Int32(_byTime.Count);
        foreach (var list in _byTime) list.Save(into);
    }

    /// <summary>Reads into new ones.</summary>
    public static OpenLists Load(CheckpointReader from, long waitMs, int listsMax, int slotsMax, int stateLength, int actionLength)
    {
        var lists = new OpenLists(waitMs, listsMax, slotsMax) { _opened = from.Int64(), Late = from.Int64() };
        for (var left = from.Count(PartitionsMax); left > 0; left--) lists._clocks[from.Int32()] = from.Int64();
        for (var left = from.Count(listsMax); left > 0; left--)
        {
            var list = OpenList.Load(from, stateLength, actionLength, slotsMax);
            if (!lists._clocks.ContainsKey(list.Partition) || !lists._lists.TryAdd((list.User, list.Version), list) || !lists._byTime.Add(list))
                throw new InvalidDataException("an open list stands there twice, or its partition has no clock");
        }
        return lists;
    }
}

/// <summary>One list that waits for its outcome.</summary>
internal sealed class OpenList(ulong user, long version, int partition, long number, float[] state, bool duels) : IComparable<OpenList>
{
    private readonly SortedList<int, Slot> _slots = [];

    private sealed record Slot(ulong Item, Team Team, float[] Action, float Reward);

    public ulong User => user;
    public long Version => version;
    public int Partition => partition;
    public long LastShownMs { get; set; }
    public int Slots => _slots.Count;

    public int CompareTo(OpenList? other) => other is null ? 1 : (LastShownMs, number).CompareTo((other.LastShownMs, other.Number));

    private long Number => number;

    /// <summary>A slot that is shown again stays one slot, clicked if it was either time.</summary>
    public void Show(Example example, int stateLength, int slotsMax)
    {
        var reward = example.Label > 0.5f ? 1f : 0f;
        var position = Math.Max(0, example.Position);
        if (_slots.TryGetValue(position, out var slot))
        {
            if (slot.Item == example.ItemKey && reward > slot.Reward) _slots[position] = slot with { Reward = reward };
            return;
        }
        if (_slots.Count < slotsMax) _slots.Add(position, new Slot(example.ItemKey, duels ? example.Team : Team.None, example.Dense[stateLength..], reward));
    }

    /// <summary>As the agent takes it, and shape [K]: the rewards.</summary>
    public (DrnList List, float[] Rewards) Whole(ulong draw)
    {
        var slots = _slots.Values;
        var list = new DrnList(
            user, LastShownMs, draw, [.. Enumerable.Range(0, slots.Count)], [.. slots.Select(s => s.Team)], state, [.. slots.SelectMany(s => s.Action)])
        { Positions = [.. _slots.Keys] };
        return (list, [.. slots.Select(s => s.Reward)]);
    }

    public void Save(CheckpointWriter into)
    {
        foreach (var value in (ReadOnlySpan<long>)[(long)user, version, number, LastShownMs]) into.Int64(value);
        into.Int32(partition);
        into.Byte(duels ? (byte)1 : (byte)0);
        into.Values<float>(state);
        into.Int32(_slots.Count);
        foreach (var (position, slot) in _slots)
        {
            into.Int32(position);
            into.Int64((long)slot.Item);
            into.Byte((byte)slot.Team);
            into.Single(slot.Reward);
            into.Values<float>(slot.Action);
        }
    }

    public static OpenList Load(CheckpointReader from, int stateLength, int actionLength, int slotsMax)
    {
        var (user, version, number, shownMs) = ((ulong)from.Int64(), from.Int64(), from.Int64(), from.Int64());
        var (partition, duels, state) = (from.Int32(), from.Byte() == 1, new float[stateLength]);
        from.Values<float>(state);
        var list = new OpenList(user, version, partition, number, state, duels) { LastShownMs = shownMs };
        for (var left = from.Count(slotsMax); left > 0; left--)
        {
            var (position, item, team, reward) = (from.Int32(), (ulong)from.Int64(), from.Byte(), from.Single());
            var action = new float[actionLength];
            from.Values<float>(action);
            if (team > Teams.Max || !list._slots.TryAdd(position, new Slot(item, (Team)team, action, reward)))
                throw new InvalidDataException("a slot of an open list is corrupt");
        }
        return list;
    }
}
