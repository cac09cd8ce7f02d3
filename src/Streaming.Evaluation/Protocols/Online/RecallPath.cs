using Streaming.Core.Events;
using Streaming.Core.Settings;
using Streaming.Evaluation.Replay;
using Streaming.Feeds;
using Streaming.Learning;
using Streaming.Users;

namespace Streaming.Evaluation.Protocols.Online;

/// <summary>The recall channels of a node, fed by the live path: users, co-visitation, popularity and all.</summary>
internal sealed class RecallPath
{
    private readonly OfflinePath _path;

    public RecallPath(StreamingSettings settings)
    {
        Settings = settings;
        FeedIndex? index = null;
        _path = new OfflinePath(settings, others: learners =>
        {
            index = new FeedIndex(learners.Catalog, new Vectors(learners.Factors, settings.Learning.EmbeddingDim), settings.Feeds, settings.Users);
            return index.Learners;
        }) { NewItem = item => index!.OnItem(item) };
        Index = index!;
    }

    public StreamingSettings Settings { get; }
    public FeedIndex Index { get; }

    public UserState StateOf(string user) => _path.StateOf(user);

    /// <summary>When the item was first met, Unix ms; <paramref name="nowMs"/> for one never met.</summary>
    public long BornMs(ulong item, long nowMs) => _path.Learners.Catalog.TryGet(item, out var known) ? known.BornMs : nowMs;

    /// <summary>Learns one click.</summary>
    public void Handle(UserEvent e)
    {
        _path.Step(e);
        Index.Refresh(e.TimeMs);
    }

    private sealed class Vectors(MatrixFactorisation factors, int dimension) : IItemVectors
    {
        public int Dim => dimension;

        public bool TryGet(ulong item, Span<float> into) => factors.TryItemVector(item, into);
    }
}
