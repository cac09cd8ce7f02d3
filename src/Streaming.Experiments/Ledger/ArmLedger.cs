using Streaming.Core.Experiments;
using Streaming.Core.Ids;
using Streaming.Core.Wire;
using Streaming.Experiments.Inference;
using Streaming.Experiments.Interleaving;

namespace Streaming.Experiments.Ledger;

/// <summary>One experiment in the ledger: its users, the shares under which they came, and the comparisons of arms that were stopped.</summary>
internal sealed class ArmLedger
{
    /// <summary>Changes of shares that are told apart; later ones count as the last.</summary>
    private const int EpochsMax = 250;

    private readonly List<string> _arms = [];
    private readonly List<double[]> _epochs = [];
    private readonly SortedDictionary<int, StoppedArm> _stopped = [];

    /// <summary>Control and arm, by metric, as they stood when the arm was stopped.</summary>
    private sealed record StoppedArm(UnitMoments[] Control, UnitMoments[] Arm);

    private readonly SortedDictionary<int, (string Opponent, InterleavingTally Tally)> _interleaved = [];
    private HashSet<ulong> _excluded = [];
    private bool _ended;

    private readonly int _usersMax;

    private ArmLedger(string id, UserSums users, int usersMax) => (Id, Users, _usersMax) = (id, users, usersMax);

    public ArmLedger(string id, int usersMax) : this(id, new UserSums(usersMax), usersMax)
    {
    }

    public string Id { get; }
    public UserSums Users { get; }
    public IReadOnlyList<string> Arms => _arms;
    public int Epoch => _epochs.Count - 1;
    public long StartMs { get; private set; }
    public long EndMs { get; private set; }

    /// <summary>Event time of the first and the last user that entered; 0 for none.</summary>
    public long FirstMs { get; private set; }

    public long LastMs { get; private set; }

    /// <summary>Events that were shown by another arm than the user's first: they count for neither.</summary>
    public long CrossedOver { get; set; }

    /// <summary>Events that named no list: they count for the user's arm.</summary>
    public long Unnamed { get; set; }

    /// <summary>The arms' shares, aligned with <see cref="Arms"/>: the present ones, or the last before it ended.</summary>
    public double[] CurrentShares
    {
        get
        {
            var last = _epochs.FindLast(e => e.Any(share => share > 0)) ?? [];
            return [.. Enumerable.Range(0, _arms.Count).Select(i => i < last.Length ? last[i] : 0)];
        }
    }

    /// <summary>Of the arms whose lists are made of two rankings, by index: the opponent, and whom users prefer.</summary>
    public IReadOnlyDictionary<int, (string Opponent, InterleavingTally Tally)> Interleaved => _interleaved;

    public bool IsStopped(int arm) => _stopped.ContainsKey(arm);

    public bool IsExcluded(ulong user) => _excluded.Contains(user);

    public int IndexOf(string arm) => _arms.IndexOf(arm);

    /// <summary>Takes over the experiment as it is defined now.</summary>
    public void Track(TrackedExperiment now)
    {
        if (now.Arms.Count != now.Shares.Count || now.Arms.Count > TrackedExperiment.ArmsMax)
            throw new ArgumentException($"experiment '{now.Id}' has {now.Arms.Count} arms and {now.Shares.Count} shares", nameof(now));
        foreach (var arm in now.Arms)
            if (!_arms.Contains(arm) && _arms.Count < byte.MaxValue) _arms.Add(arm);
        StartMs = now.StartMs;
        if (now.Runs || _epochs.Count == 0 || !_ended) EndMs = now.EndMs;
        _ended = !now.Runs;
        _excluded = [.. now.Excluded.Select(StableHash.Of)];
        // Against another opponent it is another question.
        foreach (var (arm, opponent) in now.Interleaved)
            if (_arms.IndexOf(arm) is >= 0 and var at && (!_interleaved.TryGetValue(at, out var found) || found.Opponent != opponent))
                _interleaved[at] = (opponent, new InterleavingTally(_usersMax));
        var shares = new double[_arms.Count];
        for (var i = 0; i < now.Arms.Count; i++)
            if (_arms.IndexOf(now.Arms[i]) is >= 0 and var at) shares[at] = now.Shares[i];
        if (_epochs.Count == 0 || !Same(_epochs[^1], shares))
        {
            if (_epochs.Count == EpochsMax) _epochs.RemoveAt(EpochsMax - 1);
            _epochs.Add(shares);
        }
        // An arm that goes on is compared anew, over all its time.
        foreach (var at in _stopped.Keys.Where(at => !now.Stopped.Contains(_arms[at])).ToList()) _stopped.Remove(at);
        foreach (var arm in now.Stopped)
            if (_arms.IndexOf(arm) is > 0 and var at && !_stopped.ContainsKey(at))
                _stopped[at] = new StoppedArm([.. Metric.All.Select(m => Live(m, at).Control)], [.. Metric.All.Select(m => Live(m, at).Arm)]);
    }

    public void Entered(long timeMs)
    {
        FirstMs = FirstMs == 0 ? timeMs : Math.Min(FirstMs, timeMs);
        LastMs = Math.Max(LastMs, timeMs);
    }

    /// <summary>Control's and an arm's users as far as they can be compared.</summary>
    public (UnitMoments Control, UnitMoments Arm) MomentsOf(Metric metric, int arm)
    {
        if (!_stopped.TryGetValue(arm, out var stopped)) return Live(metric, arm);
        var at = Metric.All.ToList().IndexOf(metric);
        return (stopped.Control[at], stopped.Arm[at]);
    }

    /// <summary>All users of one arm, whatever the shares were.</summary>
    public UnitMoments AllOf(Metric metric, int arm)
    {
        var ones = new double[Math.Max(1, _epochs.Count)];
        Array.Fill(ones, 1);
        return Users.MomentsOf(metric, arm, ones);
    }

    /// <summary>Users of each arm.</summary>
    public long[] UsersByArm()
    {
        var counts = Users.Counts(Math.Max(1, _epochs.Count), Math.Max(1, _arms.Count));
        return [.. Enumerable.Range(0, _arms.Count).Select(a => Enumerable.Range(0, counts.GetLength(0)).Sum(e => counts[e, a]))];
    }

    /// <summary>
    /// Users of the arms that had a share, with the shares, for each stretch of time in which these stayed the same: what the sample-ratio tests
    /// compare.
    /// </summary>
    public IEnumerable<(long[] Users, double[] Shares)> SampleRatios()
    {
        var counts = Users.Counts(Math.Max(1, _epochs.Count), Math.Max(1, _arms.Count));
        // The last one that is told apart may hold users of several.
        for (var epoch = 0; epoch < Math.Min(_epochs.Count, EpochsMax - 1); epoch++)
        {
            var shares = _epochs[epoch];
            int[] open = [.. Enumerable.Range(0, shares.Length).Where(a => shares[a] > 0)];
            yield return ([.. open.Select(a => counts[epoch, a])], [.. open.Select(a => shares[a])]);
        }
    }

    /// <summary>
    /// Users who came under different shares have been in for different lengths of time, so arms whose shares changed would not compare (Simpson's
    /// paradox: Kohavi, Tang and Xu 2020, chapter 3). Every epoch's users are weighted so that it makes up the same part of both arms
    /// (post-stratification): w = (N_e / N) / (n_ae / n_a). An epoch in which one of the two had nobody is left out. Weights average to 1.
    /// </summary>
    private (UnitMoments Control, UnitMoments Arm) Live(Metric metric, int arm)
    {
        var counts = Users.Counts(Math.Max(1, _epochs.Count), Math.Max(1, _arms.Count));
        var epochs = counts.GetLength(0);
        var (control, treatment, all) = (0.0, 0.0, 0.0);
        for (var e = 0; e < epochs; e++)
        {
            if (counts[e, 0] == 0 || counts[e, arm] == 0) continue;
            control += counts[e, 0];
            treatment += counts[e, arm];
        }
        all = control + treatment;
        var (ofControl, ofArm) = (new double[epochs], new double[epochs]);
        for (var e = 0; e < epochs; e++)
        {
            if (counts[e, 0] == 0 || counts[e, arm] == 0) continue;
            var share = (counts[e, 0] + counts[e, arm]) / all;
            ofControl[e] = share * control / counts[e, 0];
            ofArm[e] = share * treatment / counts[e, arm];
        }
        return (Users.MomentsOf(metric, 0, ofControl), Users.MomentsOf(metric, arm, ofArm));
    }

    public void Save(CheckpointWriter writer, bool withDuels)
    {
        writer.String(Id);
        writer.Byte(_ended ? (byte)1 : (byte)0);
        foreach (var value in (ReadOnlySpan<long>)[StartMs, EndMs, FirstMs, LastMs, CrossedOver, Unnamed]) writer.Int64(value);
        writer.Int32(_arms.Count);
        foreach (var arm in _arms) writer.String(arm);
        writer.Int32(_epochs.Count);
        foreach (var epoch in _epochs)
        {
            writer.Int32(epoch.Length);
            writer.Values<double>(epoch);
        }
        writer.Int32(_stopped.Count);
        foreach (var (arm, stopped) in _stopped)
        {
            writer.Int32(arm);
            writer.Int32(stopped.Control.Length);
            foreach (var moments in stopped.Control.Concat(stopped.Arm)) moments.Save(writer);
        }
        Users.Save(writer);
        if (!withDuels) return;
        writer.Int32(_interleaved.Count);
        foreach (var (arm, (opponent, tally)) in _interleaved)
        {
            writer.Int32(arm);
            writer.String(opponent);
            tally.Save(writer);
        }
    }

    public static ArmLedger Read(CheckpointReader reader, int usersMax, bool withDuels)
    {
        var id = reader.String(1 << 16);
        var ended = reader.Byte() != 0;
        var times = new long[6];
        foreach (ref var time in times.AsSpan()) time = reader.Int64();
        List<string> arms = [.. Enumerable.Range(0, reader.Count(byte.MaxValue)).Select(_ => reader.String(1 << 16))];
        List<double[]> epochs = [];
        for (var left = reader.Count(EpochsMax); left > 0; left--)
        {
            var epoch = new double[reader.Count(byte.MaxValue)];
            reader.Values(epoch.AsSpan());
            epochs.Add(epoch);
        }
        List<(int, StoppedArm)> stopped = [];
        for (var left = reader.Count(byte.MaxValue); left > 0; left--)
        {
            var arm = reader.Int32();
            // A metric that a later build has added was not frozen: it has no users.
            var count = reader.Count(Metric.All.Count);
            UnitMoments[] both = [.. Enumerable.Range(0, 2 * count).Select(_ => UnitMoments.Read(reader))];
            UnitMoments[] none = [.. Enumerable.Range(0, Metric.All.Count - count).Select(_ => new UnitMoments())];
            stopped.Add((arm, new StoppedArm([.. both[..count], .. none], [.. both[count..], .. none])));
        }
        var read = new ArmLedger(id, UserSums.Read(reader, usersMax), usersMax)
        {
            _ended = ended, StartMs = times[0], EndMs = times[1], FirstMs = times[2], LastMs = times[3], CrossedOver = times[4], Unnamed = times[5],
        };
        read._arms.AddRange(arms);
        read._epochs.AddRange(epochs);
        foreach (var (arm, was) in stopped) read._stopped[arm] = was;
        if (withDuels)
            for (var left = reader.Count(byte.MaxValue); left > 0; left--) read._interleaved[reader.Int32()] = (reader.String(1 << 16), InterleavingTally.Read(reader, usersMax));
        return read;
    }

    private static bool Same(double[] a, double[] b)
    {
        for (var i = 0; i < Math.Max(a.Length, b.Length); i++)
            if ((i < a.Length ? a[i] : 0) != (i < b.Length ? b[i] : 0)) return false;
        return true;
    }
}
