using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Node;

/// <summary>How a look-up ended.</summary>
public enum FeedOutcome
{
    /// <summary>The user's own list.</summary>
    Own,
    /// <summary>The popular list of the user's segment: no list of their own yet.</summary>
    Segment,
    /// <summary>There is nothing to show at all yet.</summary>
    Empty,
    /// <summary>The list has not seen the event that the caller named, and did not within the wait.</summary>
    NotYet,
}

/// <summary>What a caller asks for.</summary>
/// <param name="User">Any string.</param>
/// <param name="Surface">"" is the default surface.</param>
/// <param name="Tags">Declared interests, for a user without history; may be empty.</param>
/// <param name="After">The list must have seen this event; null for any list.</param>
/// <param name="WaitMs">How long to wait for such a list, ms; bounded by Serving:FreshnessWaitMsMax.</param>
public readonly record struct FeedRequest(string User, string Surface, IReadOnlyList<string> Tags, LogPosition? After, int WaitMs);

/// <summary>Answers look-ups from the cache. Any thread; the plain path touches nothing but the cache.</summary>
public sealed class FeedLookup
{
    private readonly IFeedCache _cache;
    private readonly FreshLists _fresh;
    private readonly Func<string, string> _armOf;
    private readonly ServingSettings _settings;
    private readonly AsyncSignal _signal;
    private readonly TimeProvider _time;

    internal FeedLookup(
        IFeedCache cache, FreshLists fresh, Func<string, string> armOf, ServingSettings settings, AsyncSignal signal, TimeProvider time)
    {
        _cache = cache;
        _fresh = fresh;
        _armOf = armOf;
        _settings = settings;
        _signal = signal;
        _time = time;
    }

    public string ArmOf(string user) => _armOf(user);

    /// <summary>Segments' lists are made by the hold-out's policy: popularity and filters, nothing personal.</summary>
    internal const string SegmentArm = Experiments.TrafficSplitter.Holdout;

    /// <summary>
    /// Appends the list's stored form (<see cref="FeedListCodec"/>) to <paramref name="into"/>. Completes synchronously unless
    /// the caller asked for a list newer than the cached one.
    /// </summary>
    public ValueTask<FeedOutcome> FindAsync(FeedRequest request, ByteWriter into, CancellationToken cancel = default)
    {
        var own = _cache.TryGet(request.User, request.Surface, _armOf(request.User), into);
        if (request.After is { } after && !(own && FreshLists.Seen(new FeedListView(into.WrittenSpan).LastApplied, after)))
            return WaitAsync(request, after, into, cancel);
        return ValueTask.FromResult(own ? FeedOutcome.Own : FindSegment(request, into));
    }

    /// <summary>The popular list of a tag or category (empty for everybody) on a surface, else on the default surface.</summary>
    public bool TryPopular(string segment, string surface, ByteWriter into)
    {
        var user = IFeedCache.SegmentUser(segment);
        return _cache.TryGet(user, surface, SegmentArm, into) || (surface.Length > 0 && _cache.TryGet(user, "", SegmentArm, into));
    }

    private async ValueTask<FeedOutcome> WaitAsync(FeedRequest request, LogPosition after, ByteWriter into, CancellationToken cancel)
    {
        var wait = _fresh.Wait(request.User, request.Surface, after);
        if (wait is null) return FeedOutcome.NotYet;
        _signal.Set();
        // The list may have come between the first look and the wait.
        into.Clear();
        var arm = _armOf(request.User);
        if (_cache.TryGet(request.User, request.Surface, arm, into) && FreshLists.Seen(new FeedListView(into.WrittenSpan).LastApplied, after))
        {
            _fresh.Abandon(request.User, wait);
            return FeedOutcome.Own;
        }
        var bound = TimeSpan.FromMilliseconds(Math.Clamp(request.WaitMs, 0, _settings.FreshnessWaitMsMax));
        // Whatever ends the wait, the list in the cache decides.
        await using (_time.CreateTimer(_ => _fresh.Abandon(request.User, wait), null, bound, Timeout.InfiniteTimeSpan))
        await using (cancel.Register(() => _fresh.Abandon(request.User, wait)))
            await wait;
        cancel.ThrowIfCancellationRequested();
        into.Clear();
        return _cache.TryGet(request.User, request.Surface, arm, into) && FreshLists.Seen(new FeedListView(into.WrittenSpan).LastApplied, after)
            ? FeedOutcome.Own : FeedOutcome.NotYet;
    }

    private FeedOutcome FindSegment(FeedRequest request, ByteWriter into)
    {
        foreach (var tag in request.Tags)
            if (TryPopular(tag, request.Surface, into)) return FeedOutcome.Segment;
        return TryPopular("", request.Surface, into) ? FeedOutcome.Segment : FeedOutcome.Empty;
    }
}
