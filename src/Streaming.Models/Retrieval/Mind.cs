using Streaming.Core.Ids;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Embeddings;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>Shape of a <see cref="Mind"/> beside <see cref="RetrievalOptions"/>.</summary>
public sealed record MindOptions
{
    /// <summary>K, interests of a user at most.</summary>
    public int InterestsMax { get; init; } = 4;

    /// <summary>r, rounds of routing.</summary>
    public int Rounds { get; init; } = 3;

    /// <summary>p of the label-aware attention: 0 weighs interests alike, a large one takes the nearest.</summary>
    public double Power { get; init; } = 2;

    /// <summary>Columns of the layer between a capsule and an interest.</summary>
    public int Hidden { get; init; } = 128;
}

/// <summary>
/// Several interests of a user, by behaviour-to-interest dynamic routing: with c_i = S E[item i], S shared by all pairs, and fixed normal first logits b,
/// each round
/// <code>
/// w_ij = softmax over j of b_ij;  z_j = sum_i w_ij c_i;  u_j = |z_j|^2 / (1 + |z_j|^2) z_j / |z_j|;  b_ij += u_j . c_i
/// </code>
/// over j up to K_u = max(1, min(K, log2 of the history's length)). An interest is v_j = W2 relu(W1 u_j + b1) + b2; learning takes
/// sum_j softmax over j of (v_j . e)^p v_j for the target e, recommending the nearest interest (Li et al. 2019, "Multi-Interest Network with Dynamic
/// Routing for Recommendation at Tmall", equations 4 to 9). A negative inner product keeps its sign under the power; only the last round is
/// learned through, as in the authors' code; no profile is known here. Features: sequence items.
/// Known number: none for these data.
/// </summary>
public sealed class Mind : RetrievalNetwork
{
    private readonly MindOptions _mind;
    private readonly DenseParameter _item, _bilinear;
    private readonly Mlp _layers;
    private readonly DenseBuffer _firstLogits;

    /// <param name="train">What it learns from.</param>
    /// <param name="options">Sizes and examples.</param>
    /// <param name="mind">Shape.</param>
    /// <param name="seed">Of the first values.</param>
    public Mind(Interactions train, RetrievalOptions options, MindOptions mind, ulong seed)
        : base(train, options)
    {
        _mind = mind;
        _item = PairNetwork.Table("item", train.ItemCount + 1, options.Dim, seed, 0.1);
        _bilinear = new DenseParameter("bilinear", DenseParameter.Uniform("bilinear", seed, options.Dim * options.Dim, 1 / Math.Sqrt(options.Dim)), options.Dim, options.Dim);
        _layers = new Mlp("interest", options.Dim, [mind.Hidden], options.Dim, (_, _) => new Relu(), seed);
        _firstLogits = new DenseBuffer("first", Normal(seed, mind.InterestsMax * options.HistoryMax));
        Parameters = [_item, _bilinear, .. _layers.Parameters];
    }

    public override IReadOnlyList<DenseParameter> Parameters { get; }

    /// <summary>b before the first round, shape [K, places], the same for all users; the last place is the newest item's.</summary>
    public float[] FirstLogits => _firstLogits.Values;

    protected override torch.Tensor ItemVectors(torch.Tensor numbers) => Embed(_item, numbers);

    protected override torch.Tensor Interests(HistoryBatch batch, bool learning)
    {
        var length = batch.Length;
        // Shape [B, L, d]; padding is 0 and adds nothing to any capsule.
        var mapped = torch.nn.functional.linear(Drop(Embed(_item, batch.Items), learning), _bilinear.Leaf) * batch.There.unsqueeze(2);
        var still = mapped.detach();
        var mask = InterestMask(batch).unsqueeze(2);
        var logits = TensorMemory.Tensor(FirstLogits, [1, _mind.InterestsMax, Options.HistoryMax], batch.Items.device)
            .narrow(2, Options.HistoryMax - length, length).expand(batch.Rows, _mind.InterestsMax, length);
        for (var round = 1; ; round++)
        {
            var weights = (logits + mask).softmax(1);
            if (round == _mind.Rounds) return _layers.Forward(Squash(weights.bmm(mapped)), learning);
            logits = logits + Squash(weights.bmm(still)).bmm(still.transpose(1, 2));
        }
    }

    protected override torch.Tensor ForTarget(torch.Tensor interests, torch.Tensor targets, HistoryBatch batch)
    {
        var near = interests.bmm(targets.unsqueeze(2)).squeeze(2);
        // The small number keeps the slope of the power finite at 0.
        var raised = near.sign() * (near.abs() + 1e-9).pow(_mind.Power);
        var weights = (raised + InterestMask(batch)).softmax(1);
        return weights.unsqueeze(1).bmm(interests).squeeze(1);
    }

    protected override torch.Tensor InterestMask(HistoryBatch batch)
    {
        var allowed = (batch.There.sum(1, keepdim: true).clamp_min(1).log() / Math.Log(2)).clamp(1, _mind.InterestsMax);
        // Of whole numbers from 0 those below floor(log2): a little is added, since the logarithm of a power of two may fall short of it.
        var number = torch.arange(1, _mind.InterestsMax + 1, torch.ScalarType.Float32, batch.Items.device).unsqueeze(0);
        return number.gt(allowed + 1e-4).to_type(torch.ScalarType.Float32) * -1e9;
    }

    /// <summary>Keeps the direction and draws the length below 1.</summary>
    private static torch.Tensor Squash(torch.Tensor z)
    {
        var square = z.square().sum(2, keepdim: true);
        return z * (square / (1 + square) / (square + 1e-9).sqrt());
    }

    public override IReadOnlyList<RowTable> Tables => [new(_item, RowsOf.Items, 0.1 * Uniform)];

    public override IReadOnlyList<DenseBuffer> Buffers => [_firstLogits];

    public override int VectorsMax => _mind.InterestsMax;

    public override void ItemVector(ulong item, RecallRows rows, Span<float> into) => rows.Row(0, item).CopyTo(into);

    public override int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var (dim, length, width) = (Options.Dim, query.History.Length, PlainForward.WidthMax(_layers));
        var interests = (int)(Math.Clamp(Math.Log2(length), 1, _mind.InterestsMax) + 1e-4);
        var memory = PlainMemory.Begin((length + interests) * dim + (length + 1) * interests + 2 * width);
        Span<float> mapped = memory.Take(length * dim), capsules = memory.Take(interests * dim), logits = memory.Take(length * interests);
        Span<float> weights = memory.Take(interests), working = memory.Take(2 * width);
        for (var i = 0; i < length; i++)
        {
            var row = rows.Row(0, query.History[i]);
            for (var c = 0; c < dim; c++) mapped[i * dim + c] = VectorMath.Dot(_bilinear.Values.AsSpan(c * dim, dim), row);
            // The history's newest item has the last place.
            for (var j = 0; j < interests; j++) logits[i * interests + j] = FirstLogits[(j + 1) * Options.HistoryMax - 1 - i];
        }
        for (var round = 1; round <= _mind.Rounds; round++)
        {
            capsules.Clear();
            for (var i = 0; i < length; i++)
            {
                logits.Slice(i * interests, interests).CopyTo(weights);
                PlainForward.Softmax(weights);
                for (var j = 0; j < interests; j++) VectorMath.AddScaled(capsules.Slice(j * dim, dim), weights[j], mapped.Slice(i * dim, dim));
            }
            for (var j = 0; j < interests; j++) Squash(capsules.Slice(j * dim, dim));
            for (var i = 0; i < length && round < _mind.Rounds; i++)
                for (var j = 0; j < interests; j++) logits[i * interests + j] += VectorMath.Dot(capsules.Slice(j * dim, dim), mapped.Slice(i * dim, dim));
        }
        for (var j = 0; j < interests; j++) PlainForward.Run(_layers, capsules.Slice(j * dim, dim), into.Slice(j * dim, dim), working);
        return interests;
    }

    private static void Squash(Span<float> z)
    {
        var square = VectorMath.Dot(z, z);
        var scale = square / (1 + square) / MathF.Sqrt(square + 1e-9f);
        foreach (ref var value in z) value *= scale;
    }

    /// <summary>By Box and Muller, from the seed alone.</summary>
    private static float[] Normal(ulong seed, int count)
    {
        var salt = StableHash.Combine(seed, StableHash.Of("routing"));
        var values = new float[count];
        for (var i = 0; i < count; i++)
        {
            var (radius, angle) = (StableHash.Unit(StableHash.Combine(salt, (ulong)(2 * i))), StableHash.Unit(StableHash.Combine(salt, (ulong)(2 * i + 1))));
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - radius)) * Math.Cos(2 * Math.PI * angle));
        }
        return values;
    }
}
