using Streaming.Core.Items;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Building;

/// <summary>
/// Counts the categories and authors of the last w - 1 slots. Keys are numbered as they are met, so that a check is a few array
/// reads. Not thread-safe; allocates nothing once warm.
/// </summary>
internal sealed class DiversityWindow(int capacity)
{
    /// <summary>An item's author and its first categories.</summary>
    private const int KeysPerItemMax = 8;

    private readonly KeyMap<int> _numbers = new(capacity * 2);
    private readonly int[] _itemNumbers = new int[capacity * KeysPerItemMax];

    /// <summary>Numbers an item has, plus one; 0 until they are looked up.</summary>
    private readonly byte[] _itemCounts = new byte[capacity];
    private readonly int[] _inWindow = new int[capacity * KeysPerItemMax];
    private readonly int[] _slots = new int[capacity];

    public void Start()
    {
        Array.Clear(_inWindow, 0, _numbers.Count);
        _numbers.Clear();
        Array.Clear(_itemCounts);
    }

    /// <summary>Lets the slot that leaves the window before slot <paramref name="slot"/> is filled go.</summary>
    public void MoveTo(int slot, int window)
    {
        if (window <= 0 || slot < window) return;
        foreach (var number in Numbers(_slots[slot - window])) _inWindow[number]--;
    }

    public void Put(int slot, int index, Item item, int window)
    {
        if (window <= 0) return;
        _slots[slot] = index;
        foreach (var number in Look(index, item)) _inWindow[number]++;
    }

    public bool Allows(int index, Item item, ListPlan plan)
    {
        if (plan.Window <= 0) return true;
        foreach (var number in Look(index, item))
            if (_inWindow[number] >= plan.WindowMax) return false;
        return true;
    }

    private ReadOnlySpan<int> Look(int index, Item item)
    {
        if (_itemCounts[index] > 0) return Numbers(index);
        var numbers = _itemNumbers.AsSpan(index * KeysPerItemMax, KeysPerItemMax);
        var count = 0;
        if (item.AuthorKey != 0) numbers[count++] = Number(item.AuthorKey);
        foreach (var category in item.CategoryKeys)
        {
            if (count == KeysPerItemMax) break;
            var number = Number(category);
            if (!numbers[..count].Contains(number)) numbers[count++] = number;
        }
        _itemCounts[index] = (byte)(count + 1);
        return numbers[..count];
    }

    private ReadOnlySpan<int> Numbers(int index) => _itemNumbers.AsSpan(index * KeysPerItemMax, _itemCounts[index] - 1);

    private int Number(ulong key)
    {
        ref var number = ref _numbers.GetOrAdd(key, out var known);
        if (!known) number = _numbers.Count - 1;
        return number;
    }
}
