using Streaming.Core.Ids;
using Streaming.Learning.Drn;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>
/// Ranks by a <see cref="DrnModel"/>, a trainer's or a copy: by Q, and by Q~, the network with the perturbation of the very list that is being built.
/// Plain arrays; each thread has buffers of its own, the weights are shared. The features of a slate are computed once for both.
/// </summary>
public sealed class DrnRankers : IDisposable
{
    private readonly DrnModel _model;
    private readonly ThreadLocal<Work> _work;

    /// <param name="model">Read while nobody writes to it.</param>
    /// <param name="features">The calling thread's features.</param>
    /// <param name="version">Changes whenever the model's weights have.</param>
    public DrnRankers(DrnModel model, Func<DrnFeatures> features, Func<long> version)
    {
        _model = model;
        _work = new ThreadLocal<Work>(() => new Work(model, features(), version));
        (Current, Perturbed) = (new Side(this, false), new Side(this, true));
    }

    /// <summary>By Q(s, a; W).</summary>
    public IRanker Current { get; }

    /// <summary>By Q(s, a; W + alpha rand(-1, 1) W), the draw fixed by the user and the list's version.</summary>
    public IRanker Perturbed { get; }

    public void Dispose() => _work.Dispose();

    private sealed class Side(DrnRankers owner, bool perturbed) : IRanker
    {
        public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
        {
            var work = owner._work.Value!;
            work.Look(user, items, surface, nowMs);
            // The list that is being built has the next version.
            var weights = perturbed ? work.Perturbed(owner._model.DrawOf(StableHash.Of(user.User), user.ListVersion + 1)) : owner._model.Agent.Weights;
            work.Score(weights, scores);
        }
    }

    private sealed class Work(DrnModel model, DrnFeatures features, Func<long> version)
    {
        private readonly float[] _state = new float[DrnFeatures.StateLength];
        private readonly float[] _scratch = new float[model.Agent.Network.ScratchLength];
        private readonly float[] _perturbed = new float[model.Agent.Network.Length];
        private float[] _actions = [];
        private ulong[] _items = [];
        private int _count;
        private (UserState? User, long Version, string Surface, long NowMs) _seen;
        private (ulong Draw, long Version) _drawn = (0, long.MinValue);

        /// <summary>Computes the features, unless they are those of the last call.</summary>
        public void Look(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs)
        {
            var seen = (user, user.ListVersion, surface, nowMs);
            if (_seen == seen && items.SequenceEqual(_items.AsSpan(0, _count))) return;
            (_seen, _count) = (seen, items.Length);
            if (_items.Length < items.Length) (_items, _actions) = (new ulong[2 * items.Length], new float[2 * items.Length * DrnFeatures.ActionLength]);
            items.CopyTo(_items);
            features.BeginUser(user, nowMs, surface, _state);
            for (var i = 0; i < items.Length; i++) features.Item(items[i], _actions.AsSpan(i * DrnFeatures.ActionLength, DrnFeatures.ActionLength));
        }

        public ReadOnlySpan<float> Perturbed(ulong draw)
        {
            var drawn = (draw, version());
            if (_drawn == drawn) return _perturbed;
            _drawn = drawn;
            model.Agent.Perturb(_perturbed, draw);
            return _perturbed;
        }

        public void Score(ReadOnlySpan<float> weights, Span<float> scores) =>
            model.Agent.Network.Score(weights, _state, _actions.AsSpan(0, _count * DrnFeatures.ActionLength), scores, _scratch);
    }
}
