using Streaming.Models.Embeddings;
using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using Streaming.Models.Sequences;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>
/// Short- and long-term behaviour, fused by a gate. Short: h = LSTM over the last session's items, x = multi-head self-attention over h (no place sees a
/// later one), s = sum_k softmax over k of (x_k . e_u) x_k. Long: for each set f of what the items before the session have (themselves, and
/// their grades) z_f = sum_k softmax over k of (g_k . e_u) g_k, p = tanh(W [z_f] + b). Gate: G = sigmoid(W1 e_u + W2 s + W3 p + b),
/// o = (1 - G) p + G s; the logit of item i is o . E[i] (Lv et al. 2019, "SDM: Sequential Deep Matching Model for Online Large-scale Recommender
/// System", equations 1 to 17; one layer of LSTM). The paper's long-term sets are items, categories, shops and brands, and its e_u a
/// profile; what fits offline knows a user's number and grades alone, and
/// the live path no grades. Features: sequence items with times and grades, sparse user.
/// Known number: none for these data.
/// </summary>
public sealed class Sdm : RetrievalNetwork
{
    private readonly int _shortMax;
    private readonly DenseParameter _item, _grade, _user;
    private readonly Linear _input, _recurrent, _long, _gateUser, _gateShort, _gateLong;
    private readonly MultiHeadAttention _attention;

    /// <param name="train">What it learns from.</param>
    /// <param name="options">Sizes and examples; the history holds both parts.</param>
    /// <param name="heads">Divides the columns.</param>
    /// <param name="shortMax">Items of a session at most; older ones of it count as long-term.</param>
    /// <param name="seed">Of the first values.</param>
    public Sdm(Interactions train, RetrievalOptions options, int heads, int shortMax, ulong seed)
        : base(train, options)
    {
        var dim = options.Dim;
        _shortMax = shortMax;
        _item = PairNetwork.Table("item", train.ItemCount + 1, dim, seed, 0.05);
        _grade = PairNetwork.Table("grade", 6, dim, seed, 0.05);
        _user = PairNetwork.Table("user", train.UserCount + 1, dim, seed, 0.05);
        (_input, _recurrent) = (new Linear("lstm.input", dim, 4 * dim, seed), new Linear("lstm.recurrent", dim, 4 * dim, seed));
        _attention = new MultiHeadAttention("attention", dim, heads, 0, seed);
        _long = new Linear("long", 2 * dim, dim, seed);
        (_gateUser, _gateShort, _gateLong) = (new Linear("gate.user", dim, dim, seed), new Linear("gate.short", dim, dim, seed), new Linear("gate.long", dim, dim, seed));
        Parameters =
        [
            _item, _grade, _user, .. _input.Parameters, .. _recurrent.Parameters, .. _attention.Parameters, .. _long.Parameters, .. _gateUser.Parameters,
            .. _gateShort.Parameters, .. _gateLong.Parameters,
        ];
    }

    public override IReadOnlyList<DenseParameter> Parameters { get; }

    protected override torch.Tensor ItemVectors(torch.Tensor numbers) => Embed(_item, numbers);

    protected override torch.Tensor Interests(HistoryBatch batch, bool learning)
    {
        var (user, rows) = (Drop(Embed(_user, batch.Users), learning), Drop(Embed(_item, batch.Items), learning));
        var length = Math.Min(_shortMax, batch.Length);
        var (older, inSession) = (batch.Length - length, batch.Session.narrow(1, batch.Length - length, length));
        var states = Lstm(rows.narrow(1, older, length), inSession, learning);
        var mask = HistoryBatch.Mask(inSession).unsqueeze(1).unsqueeze(1) + SequenceNetwork.CausalMask(length, rows.device);
        var seen = _attention.Forward(states, states, mask, learning);
        var s = Attend(seen, inSession, user);

        var session = older == 0 ? inSession : torch.cat([batch.Session.narrow(1, 0, older) * 0, inSession], 1);
        var before = batch.There - session;
        var p = _long.Forward(torch.cat([Attend(rows, before, user), Attend(Drop(Embed(_grade, batch.Grades), learning), before, user)], 1), learning).tanh();
        var gate = (_gateUser.Forward(user, learning) + _gateShort.Forward(s, learning) + _gateLong.Forward(p, learning)).sigmoid();
        return ((1 - gate) * p + gate * s).unsqueeze(1);
    }

    /// <summary>sum_k softmax over k of (x_k . e) x_k, shape [B, d]; zeros where no place counts.</summary>
    private static torch.Tensor Attend(torch.Tensor x, torch.Tensor counts, torch.Tensor e)
    {
        var weights = (x.bmm(e.unsqueeze(2)).squeeze(2) + HistoryBatch.Mask(counts)).softmax(1) * counts;
        return weights.unsqueeze(1).bmm(x).squeeze(1);
    }

    public override IReadOnlyList<RowTable> Tables => [new(_item, RowsOf.Items, 0.05 * Uniform), new(_user, RowsOf.Users, 0.05 * Uniform)];

    public override void ItemVector(ulong item, RecallRows rows, Span<float> into) => rows.Row(0, item).CopyTo(into);

    public override int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var (dim, all) = (Options.Dim, query.History.Length);
        var user = rows.Row(1, query.User);
        var inSession = Math.Min(query.InSession, Math.Min(_shortMax, all));
        var before = all - inSession;
        var memory = PlainMemory.Begin((all + 2 * inSession + 18) * dim + all + _attention.Working(inSession));
        Span<float> items = memory.Take(all * dim), states = memory.Take(inSession * dim), seen = memory.Take(inSession * dim), weights = memory.Take(all);
        for (var t = 0; t < all; t++) rows.Row(0, query.History[all - 1 - t]).CopyTo(items[(t * dim)..]);
        Lstm(items[(before * dim)..], states, memory.Take(9 * dim));
        _attention.Run(states, states, causal: true, seen, memory.Take(_attention.Working(inSession)));
        Span<float> s = memory.Take(dim), sets = memory.Zeros(2 * dim), p = memory.Take(dim), gates = memory.Take(3 * dim);
        Attend(seen, user, weights, s);
        Attend(items[..(before * dim)], user, weights, sets[..dim]);
        // Nobody's grades are known: they are all alike.
        if (before > 0) _grade.Values.AsSpan(0, dim).CopyTo(sets[dim..]);
        PlainForward.Run(_long, sets, p);
        PlainForward.Tanh(p);
        PlainForward.Run(_gateUser, user, gates[..dim]);
        PlainForward.Run(_gateShort, s, gates.Slice(dim, dim));
        PlainForward.Run(_gateLong, p, gates[(2 * dim)..]);
        for (var c = 0; c < dim; c++)
        {
            var gate = VectorMath.Sigmoid(gates[c] + gates[dim + c] + gates[2 * dim + c]);
            into[c] = (1 - gate) * p[c] + gate * s[c];
        }
        return 1;
    }

    private static void Attend(ReadOnlySpan<float> x, ReadOnlySpan<float> e, Span<float> weights, Span<float> into)
    {
        var dim = e.Length;
        weights = weights[..(x.Length / dim)];
        into.Clear();
        for (var k = 0; k < weights.Length; k++) weights[k] = VectorMath.Dot(x.Slice(k * dim, dim), e);
        PlainForward.Softmax(weights);
        for (var k = 0; k < weights.Length; k++) VectorMath.AddScaled(into, weights[k], x.Slice(k * dim, dim));
    }

    private void Lstm(ReadOnlySpan<float> x, Span<float> states, Span<float> working)
    {
        var dim = Options.Dim;
        Span<float> c = working[..dim], gates = working.Slice(dim, 4 * dim), recurrent = working.Slice(5 * dim, 4 * dim);
        c.Clear();
        // The state before the first item is 0.
        _recurrent.Bias.Values.CopyTo(recurrent);
        for (var at = 0; at < x.Length; at += dim)
        {
            PlainForward.Run(_input, x.Slice(at, dim), gates);
            if (at > 0) PlainForward.Run(_recurrent, states.Slice(at - dim, dim), recurrent);
            for (var i = 0; i < dim; i++)
            {
                float Gate(int number, ReadOnlySpan<float> w, ReadOnlySpan<float> u) => w[number * dim + i] + u[number * dim + i];
                c[i] = VectorMath.Sigmoid(Gate(1, gates, recurrent)) * c[i] + VectorMath.Sigmoid(Gate(0, gates, recurrent)) * MathF.Tanh(Gate(2, gates, recurrent));
                states[at + i] = VectorMath.Sigmoid(Gate(3, gates, recurrent)) * MathF.Tanh(c[i]);
            }
        }
    }

    /// <summary>States after each item, shape [B, L, d], as torch.nn.LSTM (its gates i, f, g, o in this order); before the first item they stay 0.</summary>
    private torch.Tensor Lstm(torch.Tensor x, torch.Tensor there, bool learning)
    {
        var (batch, length, dim) = (x.shape[0], x.shape[1], x.shape[2]);
        var inputs = _input.Forward(x.transpose(0, 1).contiguous(), learning);
        var (h, c) = (torch.zeros([batch, dim], torch.ScalarType.Float32, x.device), torch.zeros([batch, dim], torch.ScalarType.Float32, x.device));
        var all = new torch.Tensor[length];
        for (var t = 0; t < length; t++)
        {
            var gates = inputs.select(0, t) + _recurrent.Forward(h, learning);
            torch.Tensor Gate(int number) => gates.narrow(1, number * dim, dim);
            var open = there.narrow(1, t, 1);
            c = (Gate(1).sigmoid() * c + Gate(0).sigmoid() * Gate(2).tanh()) * open;
            h = Gate(3).sigmoid() * c.tanh() * open;
            all[t] = h;
        }
        return torch.stack(all, 1);
    }
}
