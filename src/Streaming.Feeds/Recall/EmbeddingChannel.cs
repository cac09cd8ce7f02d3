using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ports;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Feeds.Structures;
using Streaming.Users;

namespace Streaming.Feeds.Recall;

/// <summary>
/// Items whose vector has the largest inner product with the user's query,
/// q = embedding + g short + (1 - g) long, g = s / (s + l): the factorisation's own vector and the means of the items acted upon
/// of late and over the long run, gated by the decayed weights s and l behind the two.
/// <para>
/// The index holds the <see cref="FeedsSettings.EmbeddingScanMax"/> items that were shown or acted upon last, which on
/// a larger catalogue are the fresh and the popular ones. It copies the vectors of touched items when <see cref="Refresh"/> is
/// called after a round of learning, so that neither the order of learners nor a checkpoint changes what it finds.
/// </para>
/// </summary>
public sealed class EmbeddingChannel : IRecallChannel, IStreamLearner
{
    private const byte FormatVersion = 1;

    private readonly IItemVectors _vectors;
    private readonly FeedsSettings _settings;
    private readonly UsersSettings _users;
    private readonly HashSet<ulong> _isTouched = [];
    private readonly List<ulong> _touched = [];
    private readonly float[] _vector;
    private FlatVectorIndex _index;

    public EmbeddingChannel(IItemVectors vectors, FeedsSettings settings, UsersSettings users)
    {
        (_vectors, _settings, _users) = (vectors, settings, users);
        _vector = new float[vectors.Dim];
        _index = new FlatVectorIndex(vectors.Dim, settings.EmbeddingScanMax);
    }

    public string Name => FeedChannels.Embedding;

    public FlatVectorIndex Index => _index;

    public void OnExample(Example example) => Touch(example.ItemKey);

    public void OnInteraction(Interaction interaction) => Touch(interaction.ItemKey);

    public void OnItemDeleted(ulong item)
    {
        _index.Remove(item);
        if (_isTouched.Remove(item)) _touched.Remove(item);
    }

    /// <summary>Copies the vectors of the items touched since the last call.</summary>
    public void Refresh()
    {
        foreach (var item in _touched)
            if (_vectors.TryGet(item, _vector)) _index.Set(item, _vector);
        _touched.Clear();
        _isTouched.Clear();
    }

    public int Recall(UserState user, in RecallRequest request, Span<Candidate> into)
    {
        if (user.Embedding.Length != _index.Dim)
            throw new ArgumentException($"the user's embedding has {user.Embedding.Length} numbers, the index {_index.Dim}", nameof(user));
        var query = RecallScratch.Mine.Query(VectorMath.Stride(_index.Dim));
        var shortWeight = Decay(user.ShortWeight, user.ShortMs, request.NowMs, _users.ShortHalfLifeMs);
        var longWeight = Decay(user.LongWeight, user.LongMs, request.NowMs, _users.LongHalfLifeMs);
        var gate = shortWeight + longWeight > 0 ? shortWeight / (shortWeight + longWeight) : 0;
        var isZero = true;
        for (var d = 0; d < _index.Dim; d++)
        {
            query[d] = user.Embedding[d] + gate * user.ShortVector[d] + (1 - gate) * user.LongVector[d];
            isZero &= query[d] == 0;
        }
        // Nothing is known of this user yet: every item would tie.
        return isZero ? 0 : _index.Search(query, into);
    }

    public void Save(Stream into)
    {
        var writer = new ByteWriter();
        writer.Byte(FormatVersion);
        writer.Count(_index.Dim);
        writer.Count(_index.Count);
        foreach (var item in _index.ByTouch)
        {
            _index.TryGet(item, _vector);
            writer.UInt64(item);
            foreach (var value in _vector) writer.Single(value);
            writer.Flush(into);
        }
        writer.Count(_touched.Count);
        foreach (var item in _touched)
        {
            writer.UInt64(item);
            writer.Flush(into);
        }
        writer.Flush(into, end: true);
    }

    public void Load(Stream from) => Part.Load(from, Name, (ref ByteReader reader) =>
    {
        reader.Version(FormatVersion, "the vector index");
        // Not a count of what follows: an empty index has a dimension too.
        var dim = (int)Math.Min(int.MaxValue, reader.VarInt());
        Part.Expect(dim == _vectors.Dim, $"its vectors have {dim} numbers, the model's {_vectors.Dim}");
        var index = new FlatVectorIndex(dim, _settings.EmbeddingScanMax);
        var count = reader.Count(8 + 4 * dim);
        for (var n = 0; n < count; n++)
        {
            var item = reader.UInt64();
            for (var d = 0; d < dim; d++) _vector[d] = reader.Single();
            index.Set(item, _vector);
        }
        Part.Expect(index.Count == Math.Min(count, _settings.EmbeddingScanMax), "an item occurs twice");
        var touched = new ulong[reader.Count(8)];
        for (var i = 0; i < touched.Length; i++) touched[i] = reader.UInt64();
        _index = index;
        _touched.Clear();
        _isTouched.Clear();
        foreach (var item in touched) Touch(item);
    });

    private void Touch(ulong item)
    {
        if (!_isTouched.Add(item)) return;
        _touched.Add(item);
        if (_touched.Count >= _settings.EmbeddingScanMax) Refresh();
    }

    private static float Decay(float weight, long sinceMs, long nowMs, long halfLifeMs) =>
        weight * MathF.Exp(-Math.Max(0, nowMs - sinceMs) * (MathF.Log(2) / halfLifeMs));
}
