namespace Streaming.Feeds.Structures;

/// <summary>Orders indices by a float, largest first, without a comparer: the float's bits and the index packed into one sortable word.</summary>
internal static class Descending
{
    /// <summary>Packs one score with its index (non-negative); NaN goes last.</summary>
    public static ulong Pack(float score, int index)
    {
        var bits = BitConverter.SingleToUInt32Bits(float.IsNaN(score) ? float.NegativeInfinity : score + 0f);
        var ascending = (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
        return ((ulong)~ascending << 32) | (uint)index;
    }

    public static int Index(ulong packed) => (int)(uint)packed;

    /// <summary>Leaves in <paramref name="order"/> the indices of <paramref name="scores"/> packed, best first; of equal scores the smaller index first.</summary>
    public static void Sort(ReadOnlySpan<float> scores, Span<ulong> order)
    {
        for (var i = 0; i < scores.Length; i++) order[i] = Pack(scores[i], i);
        order[..scores.Length].Sort();
    }
}
