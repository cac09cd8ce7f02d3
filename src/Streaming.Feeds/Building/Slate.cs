using Streaming.Core.Feeds;
using Streaming.Core.Items;

namespace Streaming.Feeds.Building;

/// <summary>
/// What re-ranking chooses from, as parallel arrays in three ranges: [0, <see cref="FirstCount"/>) the candidates, best first;
/// [<see cref="FirstCount"/>, <see cref="RankedCount"/>) the reserve, best first, for when the candidates are used up;
/// [<see cref="RankedCount"/>, <see cref="Count"/>) items that only exploration may show.
/// </summary>
internal sealed class Slate(int capacity, int poolMax)
{
    public readonly ulong[] Keys = new ulong[capacity];
    public readonly Item[] Items = new Item[capacity];
    public readonly float[] Scores = new float[capacity];
    public readonly byte[] Channels = new byte[capacity];

    /// <summary>Indices of the items that exploration draws from, in any of the three ranges.</summary>
    public readonly int[] Pool = new int[poolMax];

    /// <summary>Where a slate orders the candidates of another one anew: their indices there.</summary>
    public readonly int[] Twins = new int[capacity];

    public int FirstCount;
    public int RankedCount;
    public int Count;
    public int PoolCount;

    public int Add(ulong key, Item item, float score, byte channel)
    {
        (Keys[Count], Items[Count], Scores[Count], Channels[Count]) = (key, item, score, channel);
        return Count++;
    }

    public void Clear() => (FirstCount, RankedCount, Count, PoolCount) = (0, 0, 0, 0);
}

/// <summary>A filled slot.</summary>
/// <param name="Index">Into the slate.</param>
/// <param name="Explored">Whether a draw put it here.</param>
/// <param name="Propensity">Probability, given the slots above and their teams, with which the policy shows this item here.</param>
/// <param name="Team">Which of two interleaved rankings it came from.</param>
internal readonly record struct Slot(int Index, bool Explored, float Propensity, Team Team = Team.None);
