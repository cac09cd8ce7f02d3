using System.Runtime.InteropServices;
using Streaming.Core.Ids;
using Streaming.Core.Wire;

namespace Streaming.Learning.Metrics;

/// <summary>
/// All predictions of some of the users, in bounded memory: GAUC needs a user's predictions together, so users are sampled, not
/// predictions. A user is in while the low bits of a hash of theirs are zero; whenever the bound is passed one more bit must be,
/// which lets half of the users go. So the sample never depends on what was predicted, and its figures are those of a simple
/// random sample of users: the standard error of uAUC is the deviation between users over the root of the users kept.
/// </summary>
internal sealed class UserSample(int max)
{
    private const int BitsMax = 31;

    private readonly List<Scored> _kept = [];
    private int _bits;

    /// <summary>Share of the users that are sampled, 2^-bits.</summary>
    public double Share => Math.ScaleB(1, -_bits);

    public void Add(Scored scored)
    {
        if (!IsIn(scored)) return;
        _kept.Add(scored);
        while (_kept.Count > max && _bits < BitsMax)
        {
            _bits++;
            _kept.RemoveAll(s => !IsIn(s));
        }
        // One user alone may pass the bound: nothing more of theirs is kept.
        if (_kept.Count > max) _kept.RemoveAt(_kept.Count - 1);
    }

    /// <summary>Sort keys (<see cref="Scored.ByUser"/>), ascending.</summary>
    public ulong[] Sorted()
    {
        var keys = new ulong[_kept.Count];
        for (var i = 0; i < keys.Length; i++) keys[i] = _kept[i].ByUser;
        Array.Sort(keys);
        return keys;
    }

    private bool IsIn(Scored scored) => (StableHash.Finalise(scored.UserBits + 0x9E37_79B9_7F4A_7C15UL) & ((1UL << _bits) - 1)) == 0;

    public void Save(CheckpointWriter writer)
    {
        writer.Int32(_bits);
        writer.Int32(_kept.Count);
        writer.Values<Scored>(CollectionsMarshal.AsSpan(_kept));
    }

    public static UserSample Read(CheckpointReader reader, int max)
    {
        var read = new UserSample(max) { _bits = reader.Count(BitsMax) };
        var kept = new Scored[reader.Count(max)];
        reader.Values(kept.AsSpan());
        read._kept.AddRange(kept);
        return read;
    }
}
