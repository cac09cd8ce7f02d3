using System.Diagnostics;
using Streaming.Core.Items;
using Streaming.Core.Metrics;
using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>Candidates side by side; arrays are reused.</summary>
internal sealed class CandidateSet(int capacity)
{
    public readonly ulong[] Keys = new ulong[capacity];
    public readonly Item[] Items = new Item[capacity];

    /// <summary>Best normalised rank over the channels that found it, in (0, 1]: 1 - rank / quota.</summary>
    public readonly float[] Ranks = new float[capacity];

    /// <summary>The channel of that rank, an index into <see cref="Core.Feeds.FeedChannels.All"/>.</summary>
    public readonly byte[] Channels = new byte[capacity];

    public int Count;
}

/// <summary>
/// Asks each channel, filters, and merges: the union of the channels' quotas, each item once, under the channel that ranked it
/// best. A quota counts items that passed the filters; what only fatigue (seen, served) kept out is held apart as a reserve.
/// </summary>
internal sealed class CandidateMerger
{
    private const int Dropped = int.MinValue;

    private readonly IReadOnlyList<IRecallChannel> _channels;
    private readonly CandidateFilter _filter;
    private readonly double _overfetch;
    private readonly Candidate[] _found;
    private readonly KeyMap<int> _places;

    /// <param name="channels">In the order of <see cref="Core.Feeds.FeedChannels.All"/>.</param>
    /// <param name="filter">Started by the caller for each list.</param>
    /// <param name="overfetch">A channel is asked for this multiple of its quota.</param>
    /// <param name="reserveMax">How many to hold apart.</param>
    /// <param name="quotaMax">Largest quota of a channel in any plan.</param>
    /// <param name="quotasMax">Largest sum of quotas in any plan.</param>
    public CandidateMerger(IReadOnlyList<IRecallChannel> channels, CandidateFilter filter, double overfetch, int reserveMax, int quotaMax, int quotasMax)
    {
        (_channels, _filter, _overfetch) = (channels, filter, overfetch);
        _found = new Candidate[Fetch(quotaMax)];
        _places = new KeyMap<int>(Fetch(quotasMax));
        Kept = new CandidateSet(quotasMax);
        Reserve = new CandidateSet(reserveMax);
    }

    /// <summary>What passed the filters.</summary>
    public CandidateSet Kept { get; }

    /// <summary>What only fatigue kept out.</summary>
    public CandidateSet Reserve { get; }

    public void Merge(UserState user, ListPlan plan, in RecallRequest request)
    {
        (Kept.Count, Reserve.Count) = (0, 0);
        _places.Clear();
        var isTimed = StreamingMeters.IsRecallTimed;
        for (var c = 0; c < _channels.Count; c++)
        {
            var quota = plan.Quotas[c];
            if (quota == 0) continue;
            var found = _found.AsSpan(0, Fetch(quota));
            var started = isTimed ? Stopwatch.GetTimestamp() : 0;
            var count = _channels[c].Recall(user, request, found);
            if (isTimed) StreamingMeters.RecordRecall(_channels[c].Name, Stopwatch.GetElapsedTime(started));
            Take(found[..count], (byte)c, quota);
        }
    }

    private void Take(ReadOnlySpan<Candidate> found, byte channel, int quota)
    {
        var taken = 0;
        foreach (var candidate in found)
        {
            if (taken == quota) return;
            ref var place = ref _places.GetOrAdd(candidate.Item, out var known);
            if (!known) place = Place(candidate.Item);
            if (place == Dropped) continue;
            var (set, at) = place >= 0 ? (Kept, place) : (Reserve, ~place);
            var rank = 1f - (float)taken / quota;
            if (place >= 0) taken++;
            if (rank <= set.Ranks[at]) continue;
            (set.Ranks[at], set.Channels[at]) = (rank, channel);
        }
    }

    /// <summary>Filters a new item; returns its index in <see cref="Kept"/>, the complement of that in <see cref="Reserve"/>, or <see cref="Dropped"/>.</summary>
    private int Place(ulong key)
    {
        var verdict = _filter.Check(key, out var item);
        var set = verdict == FilterVerdict.Keep ? Kept : Reserve;
        if ((verdict != FilterVerdict.Keep && !CandidateFilter.IsRelaxable(verdict)) || set.Count == set.Keys.Length) return Dropped;
        (set.Keys[set.Count], set.Items[set.Count], set.Ranks[set.Count]) = (key, item!, 0);
        var at = set.Count++;
        return set == Kept ? at : ~at;
    }

    private int Fetch(int quota) => (int)Math.Ceiling(quota * _overfetch);
}
