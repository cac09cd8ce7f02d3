using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Core.Wire;
using Streaming.Experiments.Inference;

namespace Streaming.Experiments.Ledger;

/// <summary>
/// The users of one experiment with what each has done since the arm that they belong to was first shown to them, and what they had done before.
/// Exact while there are at most <c>usersMax</c> users. Beyond that it goes on with a simple random sample of them: a user stays while the low bits
/// of a hash of theirs are zero, and each time the bound is passed one more bit must be. So estimates stay unbiased and intervals honest; what is
/// lost is width, a factor of root 2 for each halving (<see cref="Share"/> says how many). About 130 bytes a user.
/// </summary>
internal sealed class UserSums(int usersMax)
{
    private const int BitsMax = 31;
    private const int C = Metric.Columns;

    private readonly Dictionary<ulong, int> _rows = [];
    private ulong[] _users = new ulong[64];
    private byte[] _arms = new byte[64];
    private byte[] _epochs = new byte[64];
    private bool[] _known = new bool[64];
    private double[] _sums = new double[64 * C];
    private float[] _before = new float[64 * C];
    private int _bits;

    public int Count { get; private set; }

    /// <summary>Share of the users that is kept, 2^-halvings.</summary>
    public double Share => Math.ScaleB(1, -_bits);

    public bool IsSampled(ulong user) => (StableHash.Finalise(user + 0x9E37_79B9_7F4A_7C15UL) & ((1UL << _bits) - 1)) == 0;

    /// <summary>The user's row; -1 for none.</summary>
    public int Find(ulong user) => _rows.TryGetValue(user, out var row) ? row : -1;

    public int ArmOf(int row) => _arms[row];

    public void Add(int row, UserColumn column, double value) => _sums[row * C + (int)column] += value;

    /// <summary>Enters a user; -1 where they are not of the sample. Rows of before are no longer valid after it.</summary>
    /// <param name="before">By column; empty for a user who was not known.</param>
    public int Enter(ulong user, int arm, int epoch, ReadOnlySpan<float> before)
    {
        while (Count >= usersMax && _bits < BitsMax) Halve();
        if (Count >= usersMax || !IsSampled(user)) return -1;
        if (Count == _users.Length) Grow(Count * 2);
        var row = Count++;
        _rows[user] = row;
        (_users[row], _arms[row], _epochs[row], _known[row]) = (user, (byte)arm, (byte)epoch, before.Length > 0);
        _sums.AsSpan(row * C, C).Clear();
        if (before.Length > 0) before.CopyTo(_before.AsSpan(row * C, C));
        else _before.AsSpan(row * C, C).Clear();
        return row;
    }

    /// <summary>Takes a user out, for good.</summary>
    public void Forget(ulong user)
    {
        if (!_rows.Remove(user, out var row)) return;
        var last = --Count;
        if (row == last) return;
        Move(last, row);
        _rows[_users[row]] = row;
    }

    /// <summary>Users by epoch and arm.</summary>
    public long[,] Counts(int epochs, int arms)
    {
        var counts = new long[epochs, arms];
        for (var row = 0; row < Count; row++) counts[_epochs[row], _arms[row]]++;
        return counts;
    }

    /// <summary>The moments of a metric over an arm's users, each user weighted by their epoch; weight 0 leaves them out.</summary>
    public UnitMoments MomentsOf(Metric metric, int arm, ReadOnlySpan<double> weightOfEpoch)
    {
        var moments = new UnitMoments();
        for (var row = 0; row < Count; row++)
        {
            if (_arms[row] != arm || weightOfEpoch[_epochs[row]] is var w && w == 0) continue;
            var at = row * C;
            moments.Add(new UnitSums(
                w * _sums[at + (int)metric.Above], metric.Below is { } below ? w * _sums[at + (int)below] : w,
                w * _before[at + (int)metric.Above], metric.Below is { } under ? w * _before[at + (int)under] : 0, _known[row] ? w : 0));
        }
        return moments;
    }

    public void Save(CheckpointWriter writer)
    {
        writer.Int32(_bits);
        writer.Int32(Count);
        writer.Values<ulong>(_users.AsSpan(0, Count));
        writer.Raw(_arms.AsSpan(0, Count));
        writer.Raw(_epochs.AsSpan(0, Count));
        writer.Values<bool>(_known.AsSpan(0, Count));
        writer.Values<double>(_sums.AsSpan(0, Count * C));
        writer.Values<float>(_before.AsSpan(0, Count * C));
    }

    public static UserSums Read(CheckpointReader reader, int usersMax)
    {
        var read = new UserSums(usersMax) { _bits = reader.Count(BitsMax) };
        // A bound that has been lowered meanwhile is met by halving when the next user enters.
        read.Grow(Math.Max(64, read.Count = reader.Count(int.MaxValue / 16)));
        reader.Values(read._users.AsSpan(0, read.Count));
        reader.Raw(read._arms.AsSpan(0, read.Count));
        reader.Raw(read._epochs.AsSpan(0, read.Count));
        reader.Values(read._known.AsSpan(0, read.Count));
        reader.Values(read._sums.AsSpan(0, read.Count * C));
        reader.Values(read._before.AsSpan(0, read.Count * C));
        for (var row = 0; row < read.Count; row++) read._rows[read._users[row]] = row;
        return read;
    }

    private void Halve()
    {
        _bits++;
        var kept = 0;
        _rows.Clear();
        for (var row = 0; row < Count; row++)
        {
            if (!IsSampled(_users[row])) continue;
            if (kept != row) Move(row, kept);
            _rows[_users[kept]] = kept++;
        }
        Count = kept;
    }

    private void Move(int from, int to)
    {
        (_users[to], _arms[to], _epochs[to], _known[to]) = (_users[from], _arms[from], _epochs[from], _known[from]);
        _sums.AsSpan(from * C, C).CopyTo(_sums.AsSpan(to * C, C));
        _before.AsSpan(from * C, C).CopyTo(_before.AsSpan(to * C, C));
    }

    private void Grow(int rows)
    {
        Array.Resize(ref _users, rows);
        Array.Resize(ref _arms, rows);
        Array.Resize(ref _epochs, rows);
        Array.Resize(ref _known, rows);
        Array.Resize(ref _sums, rows * C);
        Array.Resize(ref _before, rows * C);
    }
}
