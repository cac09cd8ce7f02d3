namespace Streaming.Node.Splitting;

/// <summary>
/// A bounded set of recent hashes: direct-mapped, the newer one wins a slot, so one may be forgotten before its time. Any thread.
/// </summary>
/// <param name="slots">A power of two.</param>
internal sealed class RecentHashes(int slots)
{
    private readonly ulong[] _slots = new ulong[slots];

    /// <summary>True for a hash that is not in the set; it is then.</summary>
    public bool Add(ulong hash) => Interlocked.Exchange(ref _slots[hash & (ulong)(_slots.Length - 1)], hash) != hash;
}
