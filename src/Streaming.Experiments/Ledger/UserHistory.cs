using Streaming.Core.Experiments;
using Streaming.Core.Wire;

namespace Streaming.Experiments.Ledger;

/// <summary>
/// What users have done lately, whatever the experiment: the covariates of CUPED for experiments to come, and the session that each is in. Sums fade
/// with a half-life, so "lately" needs no calendar and a user costs 72 bytes. When full, the half that has been away longest is forgotten; who is
/// forgotten counts as unknown, which costs precision and no more, as it happens before any arm is shown.
/// </summary>
internal sealed class UserHistory(int usersMax, double halfLifeMs, long sessionGapMs)
{
    private const int C = Metric.Columns;

    private readonly Dictionary<ulong, int> _rows = [];
    private ulong[] _users = new ulong[64];
    private Presence[] _presence = new Presence[64];
    private float[] _sums = new float[64 * C];

    /// <summary>A user's session, and the time as of which the sums stand.</summary>
    private record struct Presence(long SumsMs, long StartMs, long LastMs, ulong SessionId);

    public int Count { get; private set; }

    /// <summary>The user's row, made where there is none; rows of before may have moved.</summary>
    public int Enter(ulong user, long timeMs, out bool isNew)
    {
        isNew = !_rows.TryGetValue(user, out var row);
        if (!isNew) return row;
        if (Count >= usersMax) ForgetHalf();
        if (Count == _users.Length) Grow(Count * 2);
        row = Count++;
        _rows[user] = row;
        _users[row] = user;
        _presence[row] = new Presence(timeMs, 0, 0, 0);
        _sums.AsSpan(row * C, C).Clear();
        return row;
    }

    /// <summary>Notes activity; true where it opens a session. The rules are those of the user actor: inactivity, or another explicit id, ends one.</summary>
    public bool Visit(int row, long timeMs, ulong sessionId)
    {
        ref var at = ref _presence[row];
        var same = sessionId != 0 && sessionId == at.SessionId;
        var other = sessionId != 0 && !same;
        if (at.StartMs != 0)
        {
            if (timeMs < at.StartMs)
            {
                // A late event of an earlier session leaves the present one alone.
                if (same || (!other && at.StartMs - timeMs < sessionGapMs)) at.LastMs = Math.Max(at.LastMs, timeMs);
                return false;
            }
            if (!other && (same || timeMs - at.LastMs < sessionGapMs))
            {
                at.LastMs = Math.Max(at.LastMs, timeMs);
                return false;
            }
        }
        (at.StartMs, at.LastMs, at.SessionId) = (timeMs, timeMs, sessionId);
        return true;
    }

    /// <summary>The sums as of now.</summary>
    public ReadOnlySpan<float> SumsAt(int row, long timeMs)
    {
        ref var at = ref _presence[row];
        var sums = _sums.AsSpan(row * C, C);
        if (timeMs <= at.SumsMs) return sums;
        var left = (float)double.Exp2(-(timeMs - at.SumsMs) / halfLifeMs);
        foreach (ref var sum in sums) sum *= left;
        at.SumsMs = timeMs;
        return sums;
    }

    public void Add(int row, UserColumn column, double value) => _sums[row * C + (int)column] += (float)value;

    public void Forget(ulong user)
    {
        if (!_rows.Remove(user, out var row)) return;
        var last = --Count;
        if (row == last) return;
        Move(last, row);
        _rows[_users[row]] = row;
    }

    public void Save(CheckpointWriter writer)
    {
        writer.Int32(Count);
        writer.Values<ulong>(_users.AsSpan(0, Count));
        for (var row = 0; row < Count; row++)
        {
            var p = _presence[row];
            foreach (var value in (ReadOnlySpan<long>)[p.SumsMs, p.StartMs, p.LastMs, (long)p.SessionId]) writer.Int64(value);
        }
        writer.Values<float>(_sums.AsSpan(0, Count * C));
    }

    public void Load(CheckpointReader reader)
    {
        Count = reader.Count(int.MaxValue / 16);
        Grow(Math.Max(64, Count));
        reader.Values(_users.AsSpan(0, Count));
        for (var row = 0; row < Count; row++) _presence[row] = new Presence(reader.Int64(), reader.Int64(), reader.Int64(), (ulong)reader.Int64());
        reader.Values(_sums.AsSpan(0, Count * C));
        for (var row = 0; row < Count; row++) _rows[_users[row]] = row;
    }

    private void ForgetHalf()
    {
        var last = new long[Count];
        for (var row = 0; row < Count; row++) last[row] = Math.Max(_presence[row].LastMs, _presence[row].SumsMs);
        var sorted = (long[])last.Clone();
        Array.Sort(sorted);
        var bound = sorted[Count / 2];
        var (kept, room) = (0, (Count + 1) / 2);
        _rows.Clear();
        for (var row = 0; row < Count; row++)
        {
            if (last[row] < bound || kept >= room) continue;
            if (kept != row) Move(row, kept);
            _rows[_users[kept]] = kept++;
        }
        Count = kept;
    }

    private void Move(int from, int to)
    {
        (_users[to], _presence[to]) = (_users[from], _presence[from]);
        _sums.AsSpan(from * C, C).CopyTo(_sums.AsSpan(to * C, C));
    }

    private void Grow(int rows)
    {
        Array.Resize(ref _users, rows);
        Array.Resize(ref _presence, rows);
        Array.Resize(ref _sums, rows * C);
    }
}
