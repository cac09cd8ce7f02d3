using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Learning.Interleaving;
using Streaming.Models.Deep;
using Streaming.Models.Optimizers;

namespace Streaming.Learning.Drn;

/// <summary>A list that the agent chose, to be answered with what came of it.</summary>
/// <param name="User">Key of the user.</param>
/// <param name="TimeMs">When it was chosen.</param>
/// <param name="Draw">Fixes the perturbation that took part.</param>
/// <param name="Items">Shape [K]: indexes into the candidates, by position.</param>
/// <param name="Teams">Shape [K]: A where the slot's item is the current network's, B where the perturbed one's; none without a duel.</param>
/// <param name="State">Shape [S].</param>
/// <param name="Actions">Shape [K, A].</param>
public sealed record DrnList(ulong User, long TimeMs, ulong Draw, int[] Items, Team[] Teams, float[] State, float[] Actions)
{
    /// <summary>Shape [K]: the slots, where they are not 0 to K - 1.</summary>
    public int[]? Positions { get; init; }
}

/// <summary>
/// DRN's loop (Zheng et al. 2018, figure 5): push (<see cref="Choose"/>), feedback (<see cref="Answer"/>), minor update after each list by the duel
/// of the current and the perturbed network, major update every so many lists by replay:
/// r = clicks + beta activeness, y = r + gamma Q(s', argmax_a Q(s', a; W); W'), W one step of Adam along the gradient of mean (Q - y)^2.
/// In the node lists are chosen by copies of the network, and come back with their outcome (<see cref="Observe"/>).
/// Deterministic: the same calls with the same seed give the same lists and weights, bit for bit on one CPU. One thread.
/// </summary>
/// <remarks>
/// The first feature of a state is the agent's: the logarithm of the position, so that V takes up that lower slots are looked at less, and A does not.
/// </remarks>
public sealed partial class DrnAgent
{
    private readonly DrnSettings _settings;
    private readonly ulong _seed;
    private readonly ProbabilisticInterleave _interleave;
    private readonly UserActiveness _activeness;
    private readonly float[] _gradient;
    private readonly float[] _perturbed;
    private readonly float[] _scratch;
    private float[] _weights;
    private float[] _target;
    private ArrayAdam _adam;
    private ReplayBuffer _replay;
    private WaitingUsers _waiting;
    private long _chosen, _answered, _major, _minor;
    private float[] _q = [], _q2 = [];
    private int[] _order = [], _order2 = [];

    /// <param name="settings">Sound ones.</param>
    /// <param name="stateLength">S, the position feature included.</param>
    /// <param name="actionLength">A.</param>
    /// <param name="seed">Fixes every draw.</param>
    public DrnAgent(DrnSettings settings, int stateLength, int actionLength, long seed)
    {
        _settings = settings;
        _seed = StableHash.Combine((ulong)seed, StableHash.Of("drn"));
        Network = new DuelingQNetwork(new DuelingShape(stateLength, actionLength, settings.Hidden1, settings.Hidden2));
        _weights = Network.Initial(_seed);
        _target = [.. _weights];
        _adam = NewAdam();
        _gradient = new float[Network.Length];
        _perturbed = new float[Network.Length];
        _scratch = new float[Network.ScratchLength];
        _interleave = new ProbabilisticInterleave(settings.InterleaveSharpness);
        _activeness = new UserActiveness(settings.ActivenessPeriodMs);
        _replay = new ReplayBuffer(settings.ReplayListsMax);
        _waiting = new WaitingUsers(settings.WaitingListsMax);
    }

    public DuelingQNetwork Network { get; }

    /// <summary>The current network's weights, shape [<see cref="DuelingQNetwork.Length"/>].</summary>
    public ReadOnlySpan<float> Weights => _weights;

    public long ListsAnswered => _answered;

    public long MajorUpdates => _major;

    /// <summary>Duels that the perturbed network won, each a minor update.</summary>
    public long MinorUpdates => _minor;

    /// <summary>Mean squared error of the last major update, before its step; NaN before the first.</summary>
    public float LastLoss { get; private set; } = float.NaN;

    /// <summary>
    /// Chooses a list. The user's last answered list becomes a transition to this state: their coming back is part of its reward.
    /// </summary>
    /// <param name="user">Key of the user.</param>
    /// <param name="nowMs">Event time.</param>
    /// <param name="state">Shape [S]; the first feature is overwritten by the agent's.</param>
    /// <param name="actions">Shape [N, A], row-major: the candidates.</param>
    /// <param name="slots">K; fewer where there are fewer candidates.</param>
    public DrnList Choose(ulong user, long nowMs, ReadOnlySpan<float> state, ReadOnlySpan<float> actions, int slots)
    {
        var width = Network.Shape.Action;
        var count = actions.Length / width;
        if (state.Length != Network.Shape.State || count * width != actions.Length) throw new ArgumentException($"{state.Length} state and {actions.Length} action features for {Network.Shape}");
        var s = state.ToArray();
        s[0] = PositionFeature(0);
        Rank(_weights, s, actions, count, ref _q, ref _order);
        Complete(user, nowMs, s, actions, count);
        var draw = StableHash.Combine(_seed, (ulong)_chosen++);
        var items = new int[Math.Min(slots, count)];
        var teams = new Team[items.Length];
        if (_settings.Exploration == DrnExploration.DuelingBandit) Duel(s, actions, count, draw, items, teams);
        else
        {
            _order.AsSpan(0, items.Length).CopyTo(items);
            if (_settings.Exploration == DrnExploration.EpsilonGreedy) Explore(count, draw, items);
        }
        var chosen = new float[items.Length * width];
        for (var k = 0; k < items.Length; k++) actions.Slice(items[k] * width, width).CopyTo(chosen.AsSpan(k * width));
        return new DrnList(user, nowMs, draw, items, teams, s, chosen);
    }

    /// <summary>
    /// A list that copies of this network have chosen, and what came of it. That it was shown also completes the user's list before it; in place of all
    /// candidates of then, which only the server knew, the items that it showed stand for what there was to choose from.
    /// </summary>
    /// <param name="list">Its draw is that of the perturbation it was interleaved with; teams are none where it was not.</param>
    /// <param name="rewards">Shape [K]: 1 for a click, 0 for none.</param>
    public void Observe(DrnList list, ReadOnlySpan<float> rewards)
    {
        list.State[0] = PositionFeature(0);
        Rank(_weights, list.State, list.Actions, list.Items.Length, ref _q, ref _order);
        Complete(list.User, list.TimeMs, list.State, list.Actions, list.Items.Length);
        Answer(list, rewards);
    }

    /// <summary>Takes weights over from elsewhere.</summary>
    /// <param name="weights">Shape [<see cref="DuelingQNetwork.Length"/>].</param>
    public void SetWeights(ReadOnlySpan<float> weights) => weights.CopyTo(_weights);

    /// <summary>The network that a draw's duel sets against the current one.</summary>
    /// <param name="into">Shape [<see cref="DuelingQNetwork.Length"/>].</param>
    public void Perturb(Span<float> into, ulong draw)
    {
        _weights.CopyTo(into);
        AddPerturbation(into, draw, 1);
    }

    /// <summary>What came of a list: updates the network.</summary>
    /// <param name="rewards">Shape [K]: 1 for a click, 0 for none.</param>
    public void Answer(DrnList list, ReadOnlySpan<float> rewards)
    {
        if (rewards.Length != list.Items.Length) throw new ArgumentException($"{rewards.Length} rewards for {list.Items.Length} slots");
        _answered++;
        if (_settings.Exploration == DrnExploration.DuelingBandit) MinorUpdate(list, rewards);
        var transition = new ReplayedList
        {
            State = list.State, Actions = list.Actions, Rewards = rewards.ToArray(), Positions = list.Positions ?? ReplayedList.FromTheTop(rewards.Length),
        };
        foreach (var lost in _waiting.Wait(list.User, transition, list.TimeMs)) _replay.Add(lost);
        if (_answered % _settings.MajorEveryLists == 0 && _replay.Count >= _settings.BatchLists) MajorUpdate();
    }

    /// <summary>The list's transitions are whole now: the user is back, this active, with this to choose from.</summary>
    private void Complete(ulong user, long nowMs, float[] state, ReadOnlySpan<float> actions, int count)
    {
        var (level, passedMs, transition) = _waiting.Return(user, nowMs);
        level = passedMs < 0 ? UserActiveness.Start : _activeness.Returned(level, passedMs);
        _waiting.Set(user, level, nowMs);
        if (transition is null) return;
        var bonus = (float)(_settings.ActivenessWeight * level);
        for (var k = 0; k < transition.Rewards.Length; k++) transition.Rewards[k] += bonus;
        var width = Network.Shape.Action;
        transition.NextState = state;
        transition.NextActions = new float[Math.Min(_settings.NextActionsMax, count) * width];
        for (var m = 0; m * width < transition.NextActions.Length; m++)
            actions.Slice(_order[m] * width, width).CopyTo(transition.NextActions.AsSpan(m * width));
        _replay.Add(transition);
    }

    /// <summary>
    /// Drops what is kept of a user. Answered lists in the replay buffer are features without a name, and stay until newer ones take their place.
    /// </summary>
    public void Forget(ulong user) => _waiting.Forget(user);

    private void Duel(float[] state, ReadOnlySpan<float> actions, int count, ulong draw, int[] items, Team[] teams)
    {
        Perturb(_perturbed, draw);
        Rank(_perturbed, state, actions, count, ref _q2, ref _order2);
        _interleave.Start(_order.AsSpan(0, count), _order2.AsSpan(0, count), StableHash.Combine(draw, 1));
        for (var k = 0; k < items.Length; k++) (items[k], teams[k], _, _) = _interleave.Next();
    }

    /// <summary>Toward the perturbed network where its items were clicked more; a draw keeps the current one.</summary>
    private void MinorUpdate(DrnList list, ReadOnlySpan<float> rewards)
    {
        float lead = 0;
        for (var k = 0; k < rewards.Length; k++) lead += list.Teams[k] switch { Team.A => -rewards[k], Team.B => rewards[k], _ => 0 };
        if (lead <= 0) return;
        AddPerturbation(_weights, list.Draw, (float)_settings.MinorRate);
        _minor++;
    }

    /// <summary>weights += share x alpha x rand(-1, 1) x weights; the same draw gives the same direction.</summary>
    private void AddPerturbation(Span<float> weights, ulong draw, float share)
    {
        var scale = share * (float)_settings.PerturbationScale;
        for (var i = 0; i < weights.Length; i++) weights[i] += scale * (float)(2 * StableHash.Unit(StableHash.Combine(draw, (ulong)i)) - 1) * weights[i];
    }

    private void Explore(int count, ulong draw, int[] items)
    {
        var next = 0UL;
        for (var k = 0; k < items.Length; k++)
        {
            if (StableHash.Unit(StableHash.Combine(draw, next++)) >= _settings.Epsilon) continue;
            var item = (int)(StableHash.Unit(StableHash.Combine(draw, next++)) * count);
            var at = Array.IndexOf(items, item);
            // An item that is in the list already changes places with the one that was to go.
            if (at >= 0) items[at] = items[k];
            items[k] = item;
        }
    }

    private void Rank(ReadOnlySpan<float> weights, ReadOnlySpan<float> state, ReadOnlySpan<float> actions, int count, ref float[] q, ref int[] order)
    {
        if (q.Length < count) (q, order) = (new float[2 * count], new int[2 * count]);
        Network.Score(weights, state, actions, q.AsSpan(0, count), _scratch);
        for (var i = 0; i < count; i++)
        {
            order[i] = i;
            q[i] = -q[i];
        }
        q.AsSpan(0, count).Sort(order.AsSpan(0, count));
    }

    /// <summary>The first feature of a state.</summary>
    internal static float PositionFeature(int position) => MathF.Log(1 + position);

    private ArrayAdam NewAdam() => new(Network.Length, (float)_settings.LearningRate);
}
