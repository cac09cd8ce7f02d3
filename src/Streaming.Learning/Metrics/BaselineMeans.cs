using System.Runtime.InteropServices;
using Streaming.Core.Wire;

namespace Streaming.Learning.Metrics;

/// <summary>
/// The one-line bias models that ours must beat: smoothed share of positives of the item, and of user and item together,
/// (n_pos + k g) / (n + k) with g the global share. Updated after each example. Bounded: keys beyond the bound get g.
/// </summary>
internal sealed class BaselineMeans(int keysMax)
{
    private const float Prior = 5f;

    private readonly Dictionary<ulong, Share> _users = [];
    private readonly Dictionary<ulong, Share> _items = [];
    private double _positives;
    private double _count;

    private record struct Share(float Positives, float Count);

    /// <summary>The item's mean, and user mean + item mean - g, which may leave [0, 1] a little.</summary>
    public (float Item, float UserItem) Predict(ulong user, ulong item)
    {
        var g = (float)((_positives + 0.5) / (_count + 1));
        var itemMean = Mean(_items, item, g);
        return (itemMean, itemMean + Mean(_users, user, g) - g);
    }

    public void Learn(ulong user, ulong item, bool positive)
    {
        _count++;
        if (positive) _positives++;
        Learn(_users, user, positive);
        Learn(_items, item, positive);
    }

    private static float Mean(Dictionary<ulong, Share> shares, ulong key, float g)
    {
        var share = shares.GetValueOrDefault(key);
        return (share.Positives + Prior * g) / (share.Count + Prior);
    }

    private void Learn(Dictionary<ulong, Share> shares, ulong key, bool positive)
    {
        if (shares.Count >= keysMax && !shares.ContainsKey(key)) return;
        ref var share = ref CollectionsMarshal.GetValueRefOrAddDefault(shares, key, out _);
        share.Count++;
        if (positive) share.Positives++;
    }

    public void Save(CheckpointWriter writer)
    {
        writer.Double(_positives);
        writer.Double(_count);
        Save(writer, _users);
        Save(writer, _items);
    }

    public BaselineMeans Read(CheckpointReader reader)
    {
        var read = new BaselineMeans(keysMax) { _positives = reader.Double(), _count = reader.Double() };
        read.Read(reader, read._users);
        read.Read(reader, read._items);
        return read;
    }

    // Nothing is ever removed, so a dictionary enumerates in the order of insertion.
    private static void Save(CheckpointWriter writer, Dictionary<ulong, Share> shares)
    {
        writer.Int32(shares.Count);
        foreach (var (key, share) in shares)
        {
            writer.Int64((long)key);
            writer.Single(share.Positives);
            writer.Single(share.Count);
        }
    }

    private void Read(CheckpointReader reader, Dictionary<ulong, Share> shares)
    {
        for (var left = reader.Count(keysMax); left > 0; left--)
            if (!shares.TryAdd((ulong)reader.Int64(), new Share(reader.Single(), reader.Single())))
                throw new InvalidDataException("baselines are corrupt: a key stands twice");
    }
}
