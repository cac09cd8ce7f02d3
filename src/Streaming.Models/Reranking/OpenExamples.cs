using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Models.Reranking;

/// <summary>
/// Shown lists whose outcome is not known yet, put together from their examples by user and list version: clicks come at once, the rest when their attribution window
/// ends. A list is whole once event time of its own partition has passed the window of its last impression by a slack. Bounded: beyond
/// <paramref name="listsMax"/> the oldest leave as they are.
/// </summary>
/// <param name="waitMs">Attribution window and slack, ms.</param>
/// <param name="listsMax">Lists at most.</param>
/// <param name="itemsMax">Items of a list at most; what comes beyond is left out.</param>
internal sealed class OpenExamples(long waitMs, int listsMax, int itemsMax)
{
    private const int PartitionsMax = 1 << 16, RecordBytesMax = 1 << 20;

    private readonly Dictionary<(ulong User, long Version), OpenList> _lists = [];
    private readonly SortedSet<OpenList> _byTime = new(Comparer<OpenList>.Create(static (a, b) => (a.LastShownMs, a.Number).CompareTo((b.LastShownMs, b.Number))));
    private readonly SortedDictionary<int, long> _clocks = [];
    private long _opened;

    private sealed class OpenList(ulong user, long version, int partition, long number)
    {
        public readonly List<Example> Examples = [];
        public (ulong, long) Key => (user, version);
        public int Partition => partition;
        public long Number => number;
        public long LastShownMs;
    }

    public int Count => _lists.Count;

    /// <summary>Takes in one example, in the order of the log; one of no list is left out, as is one whose list has left.</summary>
    public void Add(Example example)
    {
        if (example.ListVersion <= 0) return;
        var partition = example.Source.Partition;
        var clock = _clocks[partition] = Math.Max(_clocks.GetValueOrDefault(partition, long.MinValue), example.LabelMs);
        var key = (StableHash.Of(example.User), example.ListVersion);
        if (!_lists.TryGetValue(key, out var list))
        {
            if (example.IsCorrection || example.ShownMs + waitMs < clock) return;
            _lists.Add(key, list = new OpenList(key.Item1, key.ListVersion, partition, _opened++) { LastShownMs = example.ShownMs });
        }
        else
        {
            _byTime.Remove(list);
            list.LastShownMs = Math.Max(list.LastShownMs, example.ShownMs);
        }
        _byTime.Add(list);
        // An item shown again stays one, acted on if it was either time.
        var at = list.Examples.FindIndex(e => e.ItemKey == example.ItemKey);
        if (at < 0 && list.Examples.Count < itemsMax) list.Examples.Add(example);
        else if (at >= 0 && example.Label > list.Examples[at].Label) list.Examples[at] = example;
    }

    /// <summary>Takes out the lists that are whole, and those too many, in order.</summary>
    public List<IReadOnlyList<Example>> Take()
    {
        var taken = _byTime.TakeWhile((list, at) => _lists.Count - at > listsMax || list.LastShownMs + waitMs < _clocks[list.Partition]).ToList();
        foreach (var list in taken) Remove(list);
        return [.. taken.Select(list => list.Examples)];
    }

    /// <summary>Drops the lists of a user who asked to be forgotten.</summary>
    public void Forget(ulong user)
    {
        foreach (var list in _byTime.Where(list => list.Key.Item1 == user).ToList()) Remove(list);
    }

    private void Remove(OpenList list)
    {
        _byTime.Remove(list);
        _lists.Remove(list.Key);
    }

    public void Save(CheckpointWriter into)
    {
        into.Int64(_opened);
        into.Int32(_clocks.Count);
        foreach (var (partition, clock) in _clocks)
        {
            into.Int32(partition);
            into.Int64(clock);
        }
        into.Int32(_byTime.Count);
        var bytes = new ByteWriter();
        foreach (var list in _byTime)
        {
            foreach (var value in (ReadOnlySpan<long>)[(long)list.Key.Item1, list.Key.Item2, list.Number, list.LastShownMs]) into.Int64(value);
            into.Int32(list.Partition);
            into.Int32(list.Examples.Count);
            foreach (var example in list.Examples)
            {
                bytes.Clear();
                ExampleCodec.Write(example, bytes);
                into.Int32(bytes.Length);
                into.Raw(bytes.WrittenSpan);
            }
        }
    }

    /// <summary>Reads into a new one.</summary>
    /// <exception cref="InvalidDataException">Torn or corrupt.</exception>
    public static OpenExamples Load(CheckpointReader from, long waitMs, int listsMax, int itemsMax)
    {
        var open = new OpenExamples(waitMs, listsMax, itemsMax) { _opened = from.Int64() };
        for (var left = from.Count(PartitionsMax); left > 0; left--) open._clocks[from.Int32()] = from.Int64();
        for (var left = from.Count(listsMax); left > 0; left--)
        {
            var (user, version, number, shownMs) = ((ulong)from.Int64(), from.Int64(), from.Int64(), from.Int64());
            var list = new OpenList(user, version, from.Int32(), number) { LastShownMs = shownMs };
            for (var items = from.Count(itemsMax); items > 0; items--)
            {
                var bytes = new byte[from.Count(RecordBytesMax)];
                from.Raw(bytes);
                list.Examples.Add(Read(bytes));
            }
            if (!open._clocks.ContainsKey(list.Partition) || !open._lists.TryAdd(list.Key, list) || !open._byTime.Add(list))
                throw new InvalidDataException("an open list stands there twice, or its partition has no clock");
        }
        return open;
    }

    private static Example Read(byte[] bytes)
    {
        try
        {
            return ExampleCodec.Read(bytes).Example ?? throw new InvalidDataException("an open list holds a record that is no example");
        }
        catch (FormatException problem)
        {
            throw new InvalidDataException($"an open list holds an example that cannot be read: {problem.Message}", problem);
        }
    }
}
