using System.Runtime.InteropServices;
using MathNet.Numerics.Distributions;
using Streaming.Core.Feeds;
using Streaming.Core.Wire;

namespace Streaming.Experiments.Interleaving;

/// <summary>Which of two interleaved rankings users preferred.</summary>
/// <param name="Users">With a click that counts for either.</param>
/// <param name="PreferA">Of them, with more clicks on A's items.</param>
/// <param name="PreferB">With more on B's.</param>
/// <param name="ClicksA">Clicks on A's items.</param>
/// <param name="ClicksB">On B's.</param>
/// <param name="Preference">(users for A + half of the ties) / users: 0.5 where they are alike (Chapelle et al. 2012, there less 0.5).</param>
/// <param name="Low">95 % interval of it: Wilson's, ties counting half.</param>
/// <param name="High">Its upper end.</param>
/// <param name="PValue">Two-sided exact sign test over users, ties left out; 1 without any.</param>
public readonly record struct InterleavingResult(
    long Users, long PreferA, long PreferB, double ClicksA, double ClicksB, double Preference, double Low, double High, double PValue)
{
    public long Ties => Users - PreferA - PreferB;
}

/// <summary>
/// Credit by click for two interleaved rankings. A user is one sample however much they click: their clicks are alike, and a test over clicks would
/// promise too much. Bounded: users beyond the bound are counted and left out, those already in it go on.
/// </summary>
/// <param name="usersMax">Users at most, about 40 bytes each.</param>
public sealed class InterleavingTally(int usersMax)
{
    private readonly Dictionary<ulong, (int A, int B)> _users = [];

    /// <summary>Clicks of users who found it full.</summary>
    public long Dropped { get; private set; }

    /// <summary>Users with a click that counts.</summary>
    public int Users => _users.Count;

    /// <summary>A user clicked an item of a team; clicks on nobody's item say nothing.</summary>
    public void Click(ulong user, Team team)
    {
        if (team == Team.None) return;
        if (_users.Count >= usersMax && !_users.ContainsKey(user))
        {
            Dropped++;
            return;
        }
        ref var credit = ref CollectionsMarshal.GetValueRefOrAddDefault(_users, user, out _);
        if (team == Team.A) credit.A++;
        else credit.B++;
    }

    public void Forget(ulong user) => _users.Remove(user);

    public void Save(CheckpointWriter writer)
    {
        writer.Int64(Dropped);
        writer.Int32(_users.Count);
        foreach (var (user, (a, b)) in _users)
        {
            writer.Int64((long)user);
            writer.Int32(a);
            writer.Int32(b);
        }
    }

    /// <exception cref="InvalidDataException">Torn or corrupt.</exception>
    public static InterleavingTally Read(CheckpointReader reader, int usersMax)
    {
        var tally = new InterleavingTally(usersMax) { Dropped = reader.Int64() };
        for (var left = reader.Count(1 << 28); left > 0; left--) tally._users[(ulong)reader.Int64()] = (reader.Int32(), reader.Int32());
        return tally;
    }

    public InterleavingResult Result()
    {
        var (a, b, clicksA, clicksB) = (0L, 0L, 0L, 0L);
        foreach (var (ofA, ofB) in _users.Values)
        {
            clicksA += ofA;
            clicksB += ofB;
            if (ofA > ofB) a++;
            else if (ofB > ofA) b++;
        }
        return InterleavingTest.Of(_users.Count, a, b, clicksA, clicksB);
    }
}

/// <summary>The sign test of interleaving, and how many users it needs.</summary>
public static class InterleavingTest
{
    public static InterleavingResult Of(long users, long preferA, long preferB, double clicksA, double clicksB)
    {
        if (users == 0) return new InterleavingResult(0, 0, 0, clicksA, clicksB, double.NaN, double.NaN, double.NaN, 1);
        var share = (preferA + 0.5 * (users - preferA - preferB)) / users;
        var z = Normal.InvCDF(0, 1, 0.975);
        var scale = 1 + z * z / users;
        var centre = (share + z * z / (2 * users)) / scale;
        // A tie varies less than a win or a loss: half of the binomial variance would be too little for none, the whole is at most too much.
        var half = z / scale * Math.Sqrt(share * (1 - share) / users + z * z / (4.0 * users * users));
        return new InterleavingResult(users, preferA, preferB, clicksA, clicksB, share, centre - half, centre + half, PValue(preferA, preferB));
    }

    /// <summary>Two-sided exact binomial test of 1/2: twice the smaller tail.</summary>
    public static double PValue(long preferA, long preferB)
    {
        var trials = preferA + preferB;
        if (trials == 0) return 1;
        return Math.Min(1, 2 * Binomial.CDF(0.5, (int)trials, Math.Min(preferA, preferB)));
    }

    /// <summary>
    /// Users for a power, ties included: the sign test's score has mean d = P(A) - P(B) and variance s = P(A) + P(B) - d^2 a user, so
    /// n = (z(1 - alpha/2) sqrt(P(A) + P(B)) + z(power) sqrt(s))^2 / d^2. Infinite where there is nothing to find.
    /// </summary>
    public static double UsersNeeded(double shareA, double shareB, double alpha = 0.05, double power = 0.8)
    {
        var d = shareA - shareB;
        if (d == 0) return double.PositiveInfinity;
        var (za, zb) = (Normal.InvCDF(0, 1, 1 - alpha / 2), Normal.InvCDF(0, 1, power));
        var root = za * Math.Sqrt(shareA + shareB) + zb * Math.Sqrt(Math.Max(0, shareA + shareB - d * d));
        return root * root / (d * d);
    }
}
