using Streaming.Core.Items;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Optimizers;
using TorchSharp;

namespace Streaming.Models.Deep;

/// <summary>
/// Two-tower retrieval: s(x, y) = cos(U(x), V(y)), learned by the in-batch softmax over the positives, corrected for the sampling bias:
/// <code>
/// loss = - mean of w_i log ( exp(s(x_i, y_i) / tau - log p_i) / sum over the batch's distinct items j of exp(s(x_i, y_j) / tau - log p_j) )
/// </code>
/// with p_j from a <see cref="FrequencyEstimator"/>. Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
/// Recommendations", RecSys 2019. U reads the decayed mean of the user's past items, the same of the open session's, and (optionally) a row of the
/// user's own; V the item's own row and the mean of those of its categories, author and tags, so that an item has a vector before anybody has acted on
/// it. The interests that U knows are those of the past items' side information. Features: sparse user, sparse item and its side information, sequence
/// items with theirs.
/// Known number: none is claimed; the paper's data are YouTube's and Wikipedia's, and not at hand.
/// </summary>
/// <remarks>
/// <see cref="Learn"/> reads the positive rows; rows without a click are learned from only with <see cref="TwoTowerOptions.LogNegatives"/>, as further
/// candidates. An item that several rows share is one candidate, so that no row is its own negative and p_j is the probability that a
/// batch holds the item. Predicting and <see cref="UserVector"/>, <see cref="ItemVector"/> need no libtorch and may run on many threads while nobody learns.
/// </remarks>
public sealed partial class TwoTower : IDeepModel, IRetrievalModel
{
    private const byte FormatVersion = 1;

    private readonly TwoTowerOptions _options;
    private readonly IItemCatalog _catalog;
    private readonly torch.Device? _device;
    private readonly EmbeddingTable[] _tables;
    private readonly ItemLookup _items;
    private readonly TableLookup _users;
    private readonly Mlp _userTower;
    private readonly Mlp _itemTower;
    private readonly DenseParameter[] _parameters;
    private readonly DenseAdam _optimizer;
    private readonly RetrievalCheckpoint _checkpoint;
    private FrequencyEstimator _frequency;

    // What a batch becomes: positive rows, their candidates' numbers, and the weights of the past items. Kept, and grown.
    private int[] _positives = [];
    private ulong[] _candidates = [];
    private long[] _targets = [], _past = [], _user = [];
    private float[] _pooling = [], _weights = [], _logP = [];
    private int _positiveCount, _candidateCount, _length;

    /// <param name="options">Shape and step sizes.</param>
    /// <param name="catalog">Knows the items' side information; read whenever a batch is.</param>
    /// <param name="device">Where it learns; null for the CPU.</param>
    public TwoTower(TwoTowerOptions options, IItemCatalog catalog, torch.Device? device = null)
    {
        options.Check();
        (_options, _catalog, _device) = (options, catalog, device);
        var rows = new RowAdam(options.TableRate);
        // The first values of rows hang on their keys alone, so that a model loaded from a file goes on alike whatever its own seed.
        EmbeddingTableOptions Rows(ulong number, float scale, int admitCount) => new(
            options.Dim, rows.StateSize(options.Dim), admitCount, RowsMax: options.RowsMax, InitScale: scale, Seed: number);
        EmbeddingTableOptions[] tableOptions = [Rows(1, options.ItemInitScale, options.AdmitCount), Rows(2, options.InitScale, 1), Rows(3, options.InitScale, options.AdmitCount)];
        _tables = [.. tableOptions.Select(o => new EmbeddingTable(o))];
        _items = new ItemLookup(_tables[0], _tables[1], rows, catalog, options.SideKeysMax);
        _users = new TableLookup(_tables[2], rows);
        _userTower = new Mlp("user", UserColumns, options.HiddenColumns, options.VectorDim, (_, _) => new Relu(), options.Seed);
        _itemTower = new Mlp("item", ItemColumns, options.HiddenColumns, options.VectorDim, (_, _) => new Relu(), options.Seed);
        StartAlike();
        _parameters = [.. _userTower.Parameters, .. _itemTower.Parameters];
        _optimizer = new DenseAdam(_parameters, options.Rate);
        _frequency = new FrequencyEstimator(options.Frequency);
        Weights = new DeepWeights([("item", _tables[0]), ("side", _tables[1]), ("user", _tables[2])], _parameters);
        _checkpoint = new RetrievalCheckpoint(Name, FormatVersion, Shape, Weights, _optimizer, tableOptions, options.Frequency);
    }

    /// <summary>
    /// Before the first step the user tower is the item tower of the past items' mean, without biases: items that share side information with what
    /// the user liked come first from the start, and learning goes on from there instead of having to find out what the two sides have in common.
    /// </summary>
    private void StartAlike()
    {
        var (users, items) = (_userTower.Layers.OfType<Linear>().ToArray(), _itemTower.Layers.OfType<Linear>().ToArray());
        for (var layer = 0; layer < users.Length; layer++)
        {
            users[layer].Bias.Values.AsSpan().Clear();
            items[layer].Bias.Values.AsSpan().Clear();
            if (layer > 0) items[layer].Weight.Values.CopyTo(users[layer].Weight.Values, 0);
        }
        for (var row = 0; row < items[0].Bias.Length; row++)
        {
            var from = items[0].Weight.Values.AsSpan(row * ItemColumns, ItemColumns);
            for (var c = 0; c < 2 * ItemColumns; c++) users[0].Weight.Values[row * UserColumns + c] = 0.5f * from[c % ItemColumns];
        }
    }

    public string Name => "two_tower";

    public DeepWeights Weights { get; }

    /// <summary>e: numbers of a vector.</summary>
    public int VectorDim => _options.VectorDim;

    /// <summary>How often items come, as the correction sees it.</summary>
    public FrequencyEstimator Frequency => _frequency;

    public Mlp UserTower => _userTower;

    public Mlp ItemTower => _itemTower;

    /// <summary>What the item tower reads: own row and side information.</summary>
    private int ItemColumns => 2 * _options.Dim;

    /// <summary>What the user tower reads: all past items, the session's, and the user's row.</summary>
    private int UserColumns => 2 * ItemColumns + (_options.UserRows ? _options.Dim : 0);

    public float Learn(ExampleBatch batch)
    {
        Choose(batch);
        if (_positiveCount == 0) return 0f;
        var nowMs = batch.NewestMs;
        Prepare(batch, nowMs);
        using var scope = torch.NewDisposeScope();
        var device = _device ?? torch.CPU;
        foreach (var parameter in _parameters) parameter.Begin(device, learning: true);
        var items = _items.Rows(device, learning: true);
        var users = _users.Rows(device, learning: true);
        var candidates = torch.nn.functional.normalize(_itemTower.Forward(items.narrow(0, 1, _candidateCount), true));
        var queries = torch.nn.functional.normalize(_userTower.Forward(UserInputs(items, users, device), true));
        var logits = queries.mm(candidates.t()) * (1 / _options.Temperature) - TensorMemory.Tensor(_logP.AsSpan(0, _candidateCount), [1, _candidateCount], device);
        var target = TensorMemory.Tensor(_targets.AsSpan(0, _positiveCount), [_positiveCount, 1], device);
        var weights = TensorMemory.Tensor(_weights.AsSpan(0, _positiveCount), [_positiveCount], device);
        var loss = -(logits.log_softmax(1).gather(1, target).squeeze(1) * weights).mean();
        loss.backward();
        _optimizer.Step();
        _items.Apply(items, nowMs);
        if (_options.UserRows) _users.Apply(users, nowMs);
        return loss.item<float>();
    }

    /// <summary>What the user tower reads, shape [P, columns].</summary>
    private torch.Tensor UserInputs(torch.Tensor items, torch.Tensor users, torch.Device device)
    {
        var past = items.index_select(0, TensorMemory.Tensor(_past.AsSpan(0, _positiveCount * _length), [_positiveCount * _length], device));
        var pooling = TensorMemory.Tensor(_pooling.AsSpan(0, 2 * _positiveCount * _length), [_positiveCount, 2, _length], device);
        var pooled = pooling.bmm(past.view(_positiveCount, _length, ItemColumns)).view(_positiveCount, 2 * ItemColumns);
        if (!_options.UserRows) return pooled;
        return torch.cat([pooled, users.index_select(0, TensorMemory.Tensor(_user.AsSpan(0, _positiveCount), [_positiveCount], device))], 1);
    }

    /// <summary>The positive rows and the distinct candidates; numbers those from 1, before any other item.</summary>
    private void Choose(ExampleBatch batch)
    {
        if (_positives.Length < batch.Count)
            (_positives, _candidates, _targets, _user, _weights, _logP) =
                (new int[batch.Count], new ulong[batch.Count], new long[batch.Count], new long[batch.Count], new float[batch.Count], new float[batch.Count]);
        (_positiveCount, _length) = (0, 1);
        _items.Begin();
        _users.Begin();
        for (var row = 0; row < batch.Count; row++)
        {
            if (batch.Items[row] == 0 || !(batch.Labels[row] > 0.5f)) continue;
            _positives[_positiveCount] = row;
            _weights[_positiveCount] = batch.Weights[row];
            _targets[_positiveCount++] = Candidate(batch.Items[row]);
            _length = Math.Max(_length, Math.Min(batch.History(row).Length, _options.HistoryMax));
        }
        if (_options.LogNegatives && _positiveCount > 0)
            foreach (var item in batch.Items)
                if (item != 0) Candidate(item);
        _candidateCount = _items.Count - 1;
    }

    /// <summary>The item's place among the candidates.</summary>
    private int Candidate(ulong item)
    {
        var number = _items.Add(item);
        _candidates[number - 1] = item;
        return number - 1;
    }

    private void Prepare(ExampleBatch batch, long nowMs)
    {
        var candidates = _candidates.AsSpan(0, _candidateCount);
        _frequency.Observe(candidates);
        for (var j = 0; j < candidates.Length; j++) _logP[j] = _options.CorrectsSampling ? MathF.Log(_frequency.Probability(candidates[j])) : 0;
        var places = _positiveCount * _length;
        if (_past.Length < places) (_past, _pooling) = (new long[places], new float[2 * places]);
        _past.AsSpan(0, places).Clear();
        for (var i = 0; i < _positiveCount; i++)
        {
            var row = _positives[i];
            if (_options.UserRows) _user[i] = _users.Add(batch.Users[row]);
            var history = batch.History(row);
            if (history.Length > _options.HistoryMax) history = history[.._options.HistoryMax];
            for (var k = 0; k < history.Length; k++) _past[i * _length + k] = _items.Add(history[k]);
            Pooling(history.Length, batch.InSession[row], _pooling.AsSpan(2 * i * _length, 2 * _length));
        }
        _items.Gather(learning: true, nowMs);
        _users.Gather(learning: true, nowMs);
    }

    /// <summary>Weights of the past items, shape [2, length]: of all of them, then of the open session's; each row sums to 1, or is 0 where there are none.</summary>
    private void Pooling(int known, int inSession, Span<float> into)
    {
        var length = into.Length / 2;
        into.Clear();
        Decayed(into[..known]);
        Decayed(into.Slice(length, Math.Min(known, inSession)));
    }

    private void Decayed(Span<float> into)
    {
        var (weight, sum) = (1f, 0f);
        foreach (ref var place in into)
        {
            place = weight;
            sum += weight;
            weight *= _options.HistoryDecay;
        }
        foreach (ref var place in into) place /= sum;
    }

    private (string, int)[] Shape =>
    [
        ("embedding columns", _options.Dim), ("vector columns", _options.VectorDim), ("user rows", _options.UserRows ? 1 : 0), ("hidden layers", _options.HiddenColumns.Count),
    ];

    public void Save(Stream into) => _checkpoint.Save(into, _frequency);

    public void Load(Stream from) => _frequency = _checkpoint.Load(from);

    public void Dispose()
    {
        // Nothing native outlives a pass.
    }
}
