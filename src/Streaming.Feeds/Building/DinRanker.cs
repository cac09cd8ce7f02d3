using Streaming.Core.Ids;
using Streaming.Learning;
using Streaming.Models.Deep;
using Streaming.Users;

namespace Streaming.Feeds.Building;

/// <summary>
/// Ranks with a <see cref="Din"/>, a trainer's or a replica: the probability that the user likes the item. Each thread has buffers of its
/// own; the weights are shared. History and session are read as they are when an example is made.
/// </summary>
public sealed class DinRanker : IRanker, IDisposable
{
    private readonly Func<long> _version;
    private readonly UserModels _users;
    private readonly ThreadLocal<Work> _work;

    private sealed class Work(Din model)
    {
        public readonly DinScorer Scorer = new(model);
        public readonly ulong[] History = new ulong[model.HistoryMax];
        public float[] Dense = [];
        public long Version = long.MinValue;
        public string Surface = "";
        public ulong SurfaceKey = StableHash.Of("");
    }

    /// <param name="model">Read while nobody writes to it.</param>
    /// <param name="users">Gives the dense columns, those of the model.</param>
    /// <param name="version">Changes whenever the model's dense weights have: they are then taken over anew.</param>
    public DinRanker(Din model, UserModels users, Func<long> version)
    {
        (_version, _users) = (version, users);
        _work = new ThreadLocal<Work>(() => new Work(model));
    }

    public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
    {
        var work = _work.Value!;
        var version = _version();
        if (work.Version != version)
        {
            work.Scorer.Refresh();
            work.Version = version;
        }
        if (work.Surface != surface) (work.Surface, work.SurfaceKey) = (surface, StableHash.Of(surface));
        var count = PastItems.Newest(user, work.History, out var inSession);
        var inputs = _users.Dense;
        if (work.Dense.Length < items.Length * inputs.Columns) work.Dense = new float[items.Length * inputs.Columns];
        var dense = work.Dense.AsSpan(0, items.Length * inputs.Columns);
        inputs.Fill(user, items, surface, nowMs, dense);
        work.Scorer.Score(StableHash.Of(user.User), work.History.AsSpan(0, count), inSession, work.SurfaceKey, nowMs, items, dense, scores);
    }

    public void Dispose() => _work.Dispose();
}
