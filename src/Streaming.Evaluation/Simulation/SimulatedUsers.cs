using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.Simulation;

/// <summary>
/// The users of <see cref="Audience"/> as a step-wise environment in virtual time. What is simulated, and where it is set
/// (<see cref="AudienceSettings"/>):
/// <list type="bullet">
/// <item>latent tastes over topics that drift and jump between sessions, and trends that move everybody (Drift, Jump, Trend...);</item>
/// <item>sessions that end sooner without a click; new, cold users in the place of old ones (SessionPages, NewUserPerSession);</item>
/// <item>items that are born (a Poisson process), age and expire (Items, ItemLifeMs, AgeLogit); what a user has seen or clicked appeals less;</item>
/// <item>position bias and trust bias (ExaminationDecay, ClickOnTrust);</item>
/// <item>clicks with a dwell, then likes, shares, carts and purchases; dislikes and hides of what does not appeal.</item>
/// </list>
/// Requests come as a Poisson process of <see cref="AudienceSettings.PageViewsPerSecond"/>.
/// </summary>
public sealed class SimulatedUsers : IUserEnvironment
{
    /// <summary>2025-06-15 15:06:40 UTC.</summary>
    public const long DefaultStartMs = 1_750_000_000_000;

    private readonly AudienceSettings _settings;
    private readonly long _startMs;
    private World _world;
    private Draws _arrivals;
    private double _timeMs;
    private long _requests;
    private SimUser? _open;
    private Item[] _candidates = [];

    /// <param name="settings">The seed in them counts until the first <see cref="Reset"/>.</param>
    /// <param name="startMs">Event time of the start, Unix ms.</param>
    /// <exception cref="ArgumentException">The settings are unsound; the message lists what is wrong.</exception>
    public SimulatedUsers(AudienceSettings settings, long startMs = DefaultStartMs)
    {
        (_settings, _startMs) = (settings, startMs);
        Reset(settings.Seed);
    }

    public ISimulatedTruth Truth => _world;

    [MemberNotNull(nameof(_world))]
    public void Reset(long seed)
    {
        _world = new World(_settings with { Seed = seed });
        _arrivals = new Draws((ulong)seed * 13 + 7);
        _timeMs = _startMs;
        _requests = 0;
        _open = null;
        _candidates = [];
    }

    public ListRequest NextRequest()
    {
        if (_open is not null) throw new InvalidOperationException("the last request is not answered yet");
        if (_requests > 0) _timeMs += _arrivals.Exponential(1000 / _settings.PageViewsPerSecond);
        var nowMs = (long)_timeMs;
        var arrived = _world.Publish(nowMs);
        if (arrived.Count > 0 || _candidates.Length != _world.Live.Count) _candidates = [.. _world.Live.Select(i => i.Item)];
        List<UserEvent> declared = [.. _world.FillSessions().Select(u => _world.ProfileOf(u, nowMs))];
        _open = _world.DrawActive(_world.Active - 1);
        _requests++;
        return new ListRequest(RequestId, _open.Id, nowMs, _candidates, arrived, declared);
    }

    public ListResponse Respond(IReadOnlyList<string> list, IReadOnlyList<float>? propensities = null)
    {
        var user = _open ?? throw new InvalidOperationException("there is no open request");
        if (propensities is { Count: > 0 } && propensities.Count != list.Count)
            throw new ArgumentException($"there are {propensities.Count} propensities for {list.Count} items", nameof(propensities));
        _open = null;
        if (list.Count == 0) return new ListResponse([], 0, 0, _world.MaybeLeave(_world.Active - 1, 0));
        var shown = new ShownItem[list.Count];
        for (var k = 0; k < shown.Length; k++) shown[k] = new ShownItem(list[k], k, propensities is { Count: > 0 } ? propensities[k] : float.NaN);
        var reaction = _world.React(user, new ServedPage(RequestId, "", shown), (long)_timeMs);
        return new ListResponse(reaction.Events, reaction.Clicks, reaction.Expected, _world.MaybeLeave(_world.Active - 1, reaction.Clicks));
    }

    private string RequestId => string.Create(CultureInfo.InvariantCulture, $"sim-{_requests}");
}
