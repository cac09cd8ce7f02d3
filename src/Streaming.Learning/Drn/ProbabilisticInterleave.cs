using Streaming.Core.Ids;

namespace Streaming.Learning.Drn;

/// <summary>
/// A list made of two rankings of the same items (Hofmann et al. 2011, as DRN uses it): each slot flips a coin for the ranking, then draws one of its
/// items that is not in the list yet with probability in proportion to rank^-sharpness. One thread; allocates nothing once warm.
/// </summary>
public sealed class ProbabilisticInterleave(double sharpness)
{
    private double[] _cumulative = [];
    private bool[] _taken = [];

    /// <summary>Fills the slots.</summary>
    /// <param name="current">Indexes of the items, best first.</param>
    /// <param name="perturbed">The same indexes by the other ranking.</param>
    /// <param name="draw">Fixes every draw.</param>
    /// <param name="list">Shape [slots], indexes; slots at most as many as there are items.</param>
    /// <param name="fromPerturbed">Shape [slots]: which ranking each slot's item came from.</param>
    public void Fill(ReadOnlySpan<int> current, ReadOnlySpan<int> perturbed, ulong draw, Span<int> list, Span<bool> fromPerturbed)
    {
        if (list.Length > current.Length || current.Length != perturbed.Length) throw new ArgumentException($"{list.Length} slots from rankings of {current.Length} and {perturbed.Length}");
        Prepare(current.Length);
        Array.Clear(_taken, 0, current.Length);
        var next = 0UL;
        for (var slot = 0; slot < list.Length; slot++)
        {
            var second = Unit(draw, ref next) < 0.5;
            var item = Pick(second ? perturbed : current, draw, ref next);
            _taken[item] = true;
            (list[slot], fromPerturbed[slot]) = (item, second);
        }
    }

    /// <summary>Draws by rank until an item is free: the same as renormalising over the free ones. After many misses the best free one.</summary>
    private int Pick(ReadOnlySpan<int> ranking, ulong draw, ref ulong next)
    {
        var total = _cumulative[ranking.Length - 1];
        for (var tries = 0; tries < 256; tries++)
        {
            var at = _cumulative.AsSpan(0, ranking.Length).BinarySearch(Unit(draw, ref next) * total);
            var item = ranking[Math.Min(at < 0 ? ~at : at, ranking.Length - 1)];
            if (!_taken[item]) return item;
        }
        foreach (var item in ranking)
            if (!_taken[item]) return item;
        throw new InvalidOperationException("every item is in the list already");
    }

    private void Prepare(int count)
    {
        if (_cumulative.Length >= count) return;
        var from = _cumulative.Length;
        Array.Resize(ref _cumulative, count);
        Array.Resize(ref _taken, count);
        for (var r = from; r < count; r++) _cumulative[r] = (r == 0 ? 0 : _cumulative[r - 1]) + Math.Pow(r + 1, -sharpness);
    }

    private static double Unit(ulong draw, ref ulong next) => StableHash.Unit(StableHash.Combine(draw, next++));
}
