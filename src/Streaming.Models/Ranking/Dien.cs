using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// Deep interest evolution network: h = GRU over the steps; a_t = softmax_t(h_t W e) for the target e; h' = AUGRU over h, whose update gate is a_t u_t; y =
/// sigmoid(MLP([z; m; m * e; h'_T])), m the mean of the steps, as in the authors' code; the auxiliary loss asks h_t to tell the next step from another user's
/// (Zhou et al., "Deep Interest Evolution Network for Click-Through Rate Prediction", AAAI 2019, equations 3 to 8 and 14 to 16), by inner product after a linear map
/// where the paper has an MLP. Features: sparse, dense, sequence.
/// Known number: AUC .7792 on Amazon Electronics and .8453 on Amazon Books, where its DIN makes .7603 and .7880.
/// </summary>
public sealed class Dien : IRankerNetwork
{
    private const float AuxiliaryWeight = 0.5f;

    private readonly int _wide;
    private readonly Gru _extractor, _evolution;
    private readonly DenseParameter _attention, _next;
    private readonly Mlp _mlp;

    /// <param name="shape">Of the rows.</param>
    /// <param name="options">Widths; both GRUs have as many columns as a step.</param>
    public Dien(RankerShape shape, RankerOptions options)
    {
        VectorColumns = options.Dim;
        _wide = shape.TargetFields * options.Dim;
        _extractor = new Gru("extractor", _wide, _wide, options.Seed);
        _evolution = new Gru("evolution", _wide, _wide, options.Seed);
        DenseParameter Square(string name) => new(name, DenseParameter.Uniform(name, options.Seed, _wide * _wide, 1 / Math.Sqrt(_wide)), _wide, _wide);
        (_attention, _next) = (Square("attention"), Square("next"));
        _mlp = new Mlp("mlp", shape.PlainVectors * options.Dim + 3 * _wide, options.Hidden, 1, (_, _) => new Relu(), options.Seed);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public bool ReadsSequence => true;

    public IEnumerable<DenseParameter> Parameters => [.. _extractor.Parameters, .. _evolution.Parameters, _attention, _next, .. _mlp.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var (own, length) = (x.Sequence.shape[0], (int)x.Sequence.shape[1]);
        var zero = torch.zeros([own, _wide], device: x.Sequence.device);
        var states = _extractor.Run(x.Sequence, x.Mask, zero);
        var all = torch.stack(states, 1);
        if (learning && length > 1) x.ExtraLoss = Auxiliary(all, x.Sequence, x.Mask) * AuxiliaryWeight;
        // A row without a step has no weight at all, and its state stays 0.
        var scores = x.ForRows(all).reshape(x.Rows, length, _wide).bmm(x.Target.mm(_attention.Leaf).unsqueeze(2)).squeeze(2);
        var evolved = _evolution.Run(x.ForRows(all), x.ForRows(x.Mask), x.ForRows(zero), x.SharesOfSteps(scores))[^1];
        var mean = x.MeanStep();
        return _mlp.Forward(torch.cat([x.Plain, mean, mean * x.Target, evolved], 1), learning);
    }

    /// <summary>
    /// Cross-entropy of the next step against the one that stands at its place half a mini-batch before, over the steps that both have: neighbours are often of
    /// one list, and so of one user. Where the two are the same step there is nothing to tell apart, and neither counts.
    /// </summary>
    private torch.Tensor Auxiliary(torch.Tensor states, torch.Tensor sequence, torch.Tensor mask)
    {
        var (rows, length) = (sequence.shape[0], sequence.shape[1]);
        var half = rows / 2;
        torch.Tensor Turned(torch.Tensor t) => half == 0 ? t : torch.cat([t.narrow(0, rows - half, half), t.narrow(0, 0, rows - half)], 0);
        var next = sequence.narrow(1, 1, length - 1);
        var other = Turned(next);
        var known = mask.narrow(1, 1, length - 1);
        known = known * (next.detach() - other.detach()).abs().sum(2).ne(0).to_type(torch.ScalarType.Float32);
        var told = states.narrow(1, 0, length - 1).reshape(-1, _wide).mm(_next.Leaf).reshape(rows, length - 1, _wide);
        var right = torch.nn.functional.softplus(-(told * next).sum(2)) * known;
        var wrong = torch.nn.functional.softplus((told * other).sum(2)) * known * Turned(mask.narrow(1, 1, length - 1));
        return (right + wrong).sum() / known.sum().clamp_min(1);
    }
}
