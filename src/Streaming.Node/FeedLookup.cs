using System.Diagnostics.CodeAnalysis;
using Streaming.Actors;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Experiments.Splitting;
using Streaming.Node.Splitting;

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
/// <param name="Arm">The arm (<see cref="FeedLookup.ArmOf"/>), found by the caller, who says it of a list that is not the user's own; null to find it here. An own list names its arm itself.</param>
/// <param name="IsForced">A tester's own choice of arm: its list is built for the look-up.</param>
public readonly record struct FeedRequest(
    string User, string Surface, IReadOnlyList<string> Tags, LogPosition? After, int WaitMs, string? Arm = null, bool IsForced = false);

/// <summary>Answers look-ups from the cache. Any thread; the plain path touches nothing but the cache.</summary>
public sealed class FeedLookup
{
    private readonly IFeedCache _cache;
    private readonly FreshLists _fresh;
    private readonly WantedLists _wanted;
    private readonly TrafficSplitter _splitter;
    private readonly ServingSettings _settings;
    private readonly TimeSpan _firstListWait;
    private readonly AsyncSignal _signal;
    private readonly TimeProvider _time;
    private readonly Action<string> _elsewhere;

    [ThreadStatic]
    private static ByteWriter? _traits;

    internal FeedLookup(
        IFeedCache cache, FreshLists fresh, WantedLists wanted, TrafficSplitter splitter, StreamingSettings settings, AsyncSignal signal, TimeProvider time,
        Action<string> elsewhere)
    {
        _elsewhere = elsewhere;
        (_cache, _fresh, _wanted, _splitter, _signal, _time) = (cache, fresh, wanted, splitter, signal, time);
        _settings = settings.Serving;
        _firstListWait = TimeSpan.FromMilliseconds(settings.Experiments.FirstListWaitMs);
    }

    /// <summary>The user's arm on a surface, as the lists are built by.</summary>
    public string ArmOf(string user, string surface)
    {
        var split = _splitter.Now;
        if (!split.NeedsTraits) return split.ArmOf(user, surface, default);
        Span<ulong> traits = stackalloc ulong[UserTraits.Max];
        return split.ArmOf(user, surface, TraitsOf(user, traits));
    }

    /// <summary>The arm that a tester asks for (<see cref="TrafficSplitter.TryForce"/>).</summary>
    public bool TryForce(string user, string surface, string wanted, [NotNullWhen(true)] out string? arm, [NotNullWhen(false)] out ArmRefusal? refusal)
    {
        Span<ulong> traits = stackalloc ulong[UserTraits.Max];
        return _splitter.TryForce(user, surface, TraitsOf(user, traits), wanted, out arm, out refusal);
    }

    /// <summary>Arms that the user may ask for (<see cref="TrafficSplitter.ChoicesOf(string)"/>).</summary>
    public IReadOnlyList<string> ChoicesOf(string user) => _splitter.ChoicesOf(user);

    /// <summary>How a user's arm comes about.</summary>
    public Assignment Explain(string user, string surface)
    {
        Span<ulong> traits = stackalloc ulong[UserTraits.Max];
        var split = _splitter.Now;
        return split.Explain(user, surface, TraitsOf(user, traits), split.ForcedOf(user));
    }

    private ReadOnlySpan<ulong> TraitsOf(string user, Span<ulong> into) => into[..UserTraits.Find(_cache, user, _traits ??= new ByteWriter(), into)];

    /// <summary>Segments' lists are made by the hold-out's policy: popularity and filters, nothing personal.</summary>
    internal const string SegmentArm = TrafficSplitter.Holdout;

    /// <summary>
    /// Appends the list's stored form (<see cref="FeedListCodec"/>) to <paramref name="into"/>. Completes synchronously unless
    /// the caller asked for a list newer than the cached one.
    /// </summary>
    /// <exception cref="ShardElsewhereException">The list has to be built first, or waited for, and another node leads the user's shard.</exception>
    public ValueTask<FeedOutcome> FindAsync(FeedRequest request, ByteWriter into, CancellationToken cancel = default)
    {
        var arm = request.Arm ?? ArmOf(request.User, request.Surface);
        var own = _cache.TryGet(request.User, request.Surface, arm, into);
        // Clicks renew the list of the user's own arm only, so a tester's is built for each look-up.
        if (request.IsForced) return request.After is null ? FirstAsync(request, arm, into, cancel) : ForcedAsync(request, arm, into, cancel);
        if (request.After is { } after && !(own && FreshLists.Seen(new FeedListView(into.WrittenSpan).LastApplied, after)))
            return WaitAsync(request, arm, after, into, cancel);
        var split = _splitter.Now;
        if (own)
        {
            // Of before the experiments changed: the user may have been in another arm since, and this list left behind.
            if (new FeedListView(into.WrittenSpan).BuiltMs < split.SinceMs) _wanted.Ask(new WantedList(request.User, request.Surface, arm), split.Version.Version);
            return ValueTask.FromResult(FeedOutcome.Own);
        }
        if (split.Version.Version > 0 && HasOther(request, arm)) return FirstAsync(request, arm, into, cancel);
        return ValueTask.FromResult(FindSegment(request, into));
    }

    /// <summary>Whether the user has a list of an arm that they had before the last changes: then they are known, and their first list here is a round away.</summary>
    private bool HasOther(FeedRequest request, string arm)
    {
        var buffer = _traits ??= new ByteWriter();
        foreach (var before in _splitter.Before)
        {
            // With the traits that count now; who had others then waits for no list, and has one with the next look-up.
            var other = before.ArmOf(request.User, request.Surface, default);
            buffer.Clear();
            if (other != arm && _cache.TryGet(request.User, request.Surface, other, buffer)) return true;
        }
        return false;
    }

    private async ValueTask<FeedOutcome> FirstAsync(FeedRequest request, string arm, ByteWriter into, CancellationToken cancel)
    {
        _elsewhere(request.User);
        if (_wanted.Want(new WantedList(request.User, request.Surface, arm)) is { } wait)
        {
            try
            {
                await wait.WaitAsync(_firstListWait, _time, cancel);
            }
            catch (TimeoutException)
            {
                // It is being built; until then the popular list has to do.
            }
        }
        into.Clear();
        return _cache.TryGet(request.User, request.Surface, arm, into) ? FeedOutcome.Own : FindSegment(request, into);
    }

    /// <summary>The list of an arm that was asked for, after the event that the look-up names: once the user's own list has seen it, one that is built then has too.</summary>
    private async ValueTask<FeedOutcome> ForcedAsync(FeedRequest request, string arm, ByteWriter into, CancellationToken cancel)
    {
        var after = request.After!.Value;
        into.Clear();
        var own = _cache.TryGet(request.User, request.Surface, ArmOf(request.User, request.Surface), into);
        if (!(own && FreshLists.Seen(new FeedListView(into.WrittenSpan).LastApplied, after)))
        {
            into.Clear();
            if (await WaitAsync(request, ArmOf(request.User, request.Surface), after, into, cancel) != FeedOutcome.Own) return FeedOutcome.NotYet;
        }
        // A busy node may have answered with a list of before, or with the popular one.
        return await FirstAsync(request, arm, into, cancel) == FeedOutcome.Own && FreshLists.Seen(new FeedListView(into.WrittenSpan).LastApplied, after)
            ? FeedOutcome.Own : FeedOutcome.NotYet;
    }

    /// <summary>The popular list of a tag or category (empty for everybody) on a surface, else on the default surface.</summary>
    public bool TryPopular(string segment, string surface, ByteWriter into)
    {
        var user = IFeedCache.SegmentUser(segment);
        return _cache.TryGet(user, surface, SegmentArm, into) || (surface.Length > 0 && _cache.TryGet(user, "", SegmentArm, into));
    }

    private async ValueTask<FeedOutcome> WaitAsync(FeedRequest request, string arm, LogPosition after, ByteWriter into, CancellationToken cancel)
    {
        _elsewhere(request.User);
        var wait = _fresh.Wait(request.User, request.Surface, after);
        if (wait is null) return FeedOutcome.NotYet;
        _signal.Set();
        // The list may have come between the first look and the wait.
        into.Clear();
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
        // The event may have changed the user's arm: a profile that experiments target.
        arm = ArmOf(request.User, request.Surface);
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
