using Streaming.Core.Ids;
using Streaming.Models.Embeddings;
using Streaming.Models.Offline;

namespace Streaming.Models.Classic;

/// <summary>How <see cref="FunkSvd"/> is trained.</summary>
public sealed record FunkSvdOptions
{
    public int Dim { get; init; } = 32;
    public int Epochs { get; init; } = 20;

    /// <summary>gamma, at the first epoch; it falls to 0 over the epochs in a straight line.</summary>
    public double LearningRate { get; init; } = 0.01;

    /// <summary>lambda.</summary>
    public double Regularisation { get; init; } = 0.01;

    /// <summary>
    /// 0 fits the grades, the paper's task. Above 0 every interaction counts 1 and comes with so many items that the user does not
    /// have, drawn uniformly anew in each epoch, which count 0: then the model ranks.
    /// </summary>
    public int Negatives { get; init; }
}

/// <summary>
/// r(u, i) = mu + b_u + b_i + p_u . q_i, each grade one step of stochastic gradient descent on its squared error with L2: e = r -
/// prediction, b += gamma (e - lambda b), p_u += gamma (e q_i - lambda p_u), q_i += gamma (e p_u - lambda q_i) (Funk 2006, "Netflix
/// Update: Try This at Home"; the biases as in Koren et al. 2009, "Matrix Factorization Techniques for Recommender Systems"). A
/// user unknown to training gets mu + b_i.
/// Known: fitted to grades it ranks badly (Cremonesi et al. 2010: below popularity-aware models on every top-N measure); with
/// sampled negatives matrix factorisation reaches ML-1M NCF HR@10 .73 (Rendle et al. 2020, there with the logistic loss).
/// </summary>
public sealed class FunkSvd(FunkSvdOptions options) : IRecommender
{
    private float _mean;
    private float[] _userBias = [], _itemBias = [], _users = [], _items = [];

    public void Fit(Interactions train, long seed)
    {
        var matrix = SparseMatrix.UserItems(train);
        var random = new Random(unchecked((int)StableHash.Finalise((ulong)seed)));
        double sum = 0;
        for (var user = 0; user < matrix.RowCount; user++)
            foreach (var value in matrix.RowValues(user)) sum += value;
        _mean = options.Negatives > 0 ? 1f / (1 + options.Negatives) : matrix.Count == 0 ? 0 : (float)(sum / matrix.Count);
        _userBias = new float[train.UserCount];
        _itemBias = new float[train.ItemCount];
        _users = Initial(train.UserCount * options.Dim, random);
        _items = Initial(train.ItemCount * options.Dim, random);

        var (rows, columns, values) = Triples(matrix);
        var order = Enumerable.Range(0, rows.Length).ToArray();
        for (var epoch = 0; epoch < options.Epochs; epoch++)
        {
            random.Shuffle(order);
            var rate = (float)(options.LearningRate * (1 - (double)epoch / options.Epochs));
            foreach (var at in order)
            {
                Step(rows[at], columns[at], options.Negatives > 0 ? 1f : values[at], rate);
                for (var n = 0; n < options.Negatives; n++)
                {
                    var other = random.Next(train.ItemCount);
                    // A draw that the user has is passed over: they are few, and drawing on may never end for who has everything.
                    if (matrix.Row(rows[at]).BinarySearch(other) < 0) Step(rows[at], other, 0f, rate);
                }
            }
        }
    }

    public void Score(int user, ReadOnlySpan<int> history, Span<float> scores)
    {
        var known = user < _userBias.Length;
        for (var item = 0; item < scores.Length; item++)
            scores[item] = _mean + _itemBias[item] + (known ? _userBias[user] + VectorMath.Dot(User(user), Item(item)) : 0f);
    }

    private Span<float> User(int user) => _users.AsSpan(user * options.Dim, options.Dim);

    private Span<float> Item(int item) => _items.AsSpan(item * options.Dim, options.Dim);

    private void Step(int user, int item, float target, float rate)
    {
        var p = User(user);
        var q = Item(item);
        var error = target - (_mean + _userBias[user] + _itemBias[item] + VectorMath.Dot(p, q));
        var decay = rate * (float)options.Regularisation;
        var step = rate * error;
        _userBias[user] += step - decay * _userBias[user];
        _itemBias[item] += step - decay * _itemBias[item];
        VectorMath.CrossStep(p, q, 1 - decay, step);
    }

    private float[] Initial(int count, Random random)
    {
        var values = new float[count];
        var scale = 0.1f / MathF.Sqrt(options.Dim);
        for (var i = 0; i < count; i++) values[i] = (2 * random.NextSingle() - 1) * scale * MathF.Sqrt(3);
        return values;
    }

    private static (int[] Rows, int[] Columns, float[] Values) Triples(SparseMatrix matrix)
    {
        var rows = new int[matrix.Count];
        var columns = new int[matrix.Count];
        var values = new float[matrix.Count];
        for (int row = 0, at = 0; row < matrix.RowCount; row++)
        {
            var length = matrix.Row(row).Length;
            rows.AsSpan(at, length).Fill(row);
            matrix.Row(row).CopyTo(columns.AsSpan(at));
            matrix.RowValues(row).CopyTo(values.AsSpan(at));
            at += length;
        }
        return (rows, columns, values);
    }
}
