using Streaming.Core.Wire;
using Streaming.Models.Deep;
using Streaming.Models.Embeddings;

namespace Streaming.Learning.Tests.Deep;

/// <summary>
/// The smallest model with all that a deep one has: p = sigma(d . (u * v) + b) with rows u of users and v of items in two tables and d, b dense, learned by
/// Adagrad; a bit-exact checkpoint with optimizer state.
/// </summary>
public sealed class LogisticModel : IDeepModel
{
    private const int Dim = 4;
    private const float Rate = 0.3f;

    private readonly EmbeddingTable _users = new(new EmbeddingTableOptions(Dim, StateSize: 1, Seed: 3, InitScale: 0.5f));
    private readonly EmbeddingTable _items = new(new EmbeddingTableOptions(Dim, StateSize: 1, AdmitCount: 2, PendingMax: 256, Seed: 4, InitScale: 0.5f));
    private readonly DenseArray _dense = new("dense", Dim + 1);
    private readonly float[] _squares = new float[Dim + 1];
    private readonly RowWiseAdagrad _adagrad = new(Rate, 0.1f);

    public LogisticModel(string name = "logistic")
    {
        Name = name;
        _dense.Values.AsSpan(0, Dim).Fill(1f);
        Weights = new DeepWeights([("user", _users), ("item", _items)], [_dense]);
    }

    public string Name { get; }
    public DeepWeights Weights { get; }

    /// <summary>Mini-batches learned by this object.</summary>
    public int Learned { get; private set; }

    /// <summary>What every gradient is multiplied by: 1 learns, -1 learns the labels turned round, NaN breaks everything.</summary>
    public Func<float> GradientFactor { get; set; } = () => 1;

    public void Predict(ExampleBatch batch, Span<float> into)
    {
        for (var i = 0; i < batch.Count; i++) into[i] = Predict(batch.Users[i], batch.Items[i]);
    }

    public float Learn(ExampleBatch batch)
    {
        var (loss, factor) = (0f, GradientFactor());
        var direction = new float[Dim];
        for (var i = 0; i < batch.Count; i++)
        {
            var p = Predict(batch.Users[i], batch.Items[i]);
            loss -= MathF.Log(batch.Labels[i] > 0.5f ? p : 1 - p);
            var gradient = factor * (p - batch.Labels[i]);
            var hasUser = _users.GetOrAdmit(batch.Users[i], batch.ShownMs[i], out var user, out var userState);
            var hasItem = _items.GetOrAdmit(batch.Items[i], batch.ShownMs[i], out var item, out var itemState);
            _adagrad.Step(ref _dense.Values[Dim], gradient, ref _squares[Dim]);
            if (!hasUser || !hasItem) continue;
            var oldUser = user.ToArray();
            for (var d = 0; d < Dim; d++) direction[d] = _dense.Values[d] * item[d];
            _adagrad.Step(user, direction, gradient, 0, ref userState[0]);
            for (var d = 0; d < Dim; d++) direction[d] = _dense.Values[d] * oldUser[d];
            var oldItem = item.ToArray();
            _adagrad.Step(item, direction, gradient, 0, ref itemState[0]);
            for (var d = 0; d < Dim; d++) _adagrad.Step(ref _dense.Values[d], gradient * oldUser[d] * oldItem[d], ref _squares[d]);
        }
        Learned++;
        if (Learned % 5 == 0) _users.Sweep(batch.ShownMs[0] - 40_000, 16);
        return loss / batch.Count;
    }

    public void Save(Stream into)
    {
        _users.Save(into);
        _items.Save(into);
        var writer = new CheckpointWriter(into, 1);
        writer.Values<float>(_dense.Values);
        writer.Values<float>(_squares);
        writer.Int32(Learned);
        writer.Finish();
    }

    public void Load(Stream from)
    {
        _users.Load(from);
        _items.Load(from);
        var reader = new CheckpointReader(from, 1, Name);
        reader.Values(_dense.Values.AsSpan());
        reader.Values(_squares.AsSpan());
        Learned = reader.Int32();
        reader.Finish();
    }

    public void Dispose()
    {
    }

    private float Predict(ulong user, ulong item)
    {
        var logit = _dense.Values[Dim];
        if (_users.TryGet(user, out var u) && _items.TryGet(item, out var v))
            for (var d = 0; d < Dim; d++) logit += _dense.Values[d] * u[d] * v[d];
        return VectorMath.Sigmoid(logit);
    }

    private sealed class DenseArray(string name, int length) : IDenseWeights
    {
        public float[] Values { get; } = new float[length];
        public string Name => name;
        public int Length => Values.Length;
        public void CopyTo(Span<float> into) => Values.CopyTo(into);
        public void CopyFrom(ReadOnlySpan<float> from) => from.CopyTo(Values);
    }
}
