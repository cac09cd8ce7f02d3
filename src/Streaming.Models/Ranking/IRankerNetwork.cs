using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking;

/// <summary>
/// The part of a ranker that is its own: how the vectors of a row's fields become log-odds. Tables, gathering, optimisers, checkpoints, offline
/// training and serving are <see cref="FieldRanker"/>'s, the same for all.
/// </summary>
public interface IRankerNetwork
{
    /// <summary>v: columns of a field's vector; 0 where none is read.</summary>
    int VectorColumns { get; }

    /// <summary>Whether it reads the first-order term.</summary>
    bool ReadsLinear { get; }

    /// <summary>Whether it reads the user's sequence.</summary>
    bool ReadsSequence => false;

    /// <summary>h: columns of the last hidden layer that it leaves in <see cref="RankerInput.Hidden"/>; 0 where it leaves none.</summary>
    int HiddenColumns => 0;

    /// <summary>What gradients move, in a fixed order.</summary>
    IEnumerable<DenseParameter> Parameters { get; }

    /// <summary>What else predictions depend on.</summary>
    IEnumerable<DenseBuffer> Buffers => [];

    /// <summary>Shape [B, K]; mostly log-odds. Parameters have begun a pass.</summary>
    /// <param name="x">What it reads, and where it leaves a loss of its own.</param>
    /// <param name="learning">Whether the pass will be learned from.</param>
    torch.Tensor Logits(RankerInput x, bool learning);

    /// <summary>Shape [B, K]: the logits with what the positions of the rows add.</summary>
    /// <param name="logits">Shape [B, K].</param>
    /// <param name="added">Shape [B or 1, 1].</param>
    torch.Tensor AtPosition(torch.Tensor logits, torch.Tensor added) => logits + added;

    /// <summary>Shape [K]: what must be added to <see cref="Logits"/> of 0 for probabilities that are the rates.</summary>
    /// <param name="rates">Of the labels, each between 0 and 1.</param>
    float[] LogOddsOf(IReadOnlyList<double> rates) => [.. rates.Select(r => (float)Math.Log(r / (1 - r)))];

    /// <summary>Shape [B, K], from what <see cref="Logits"/> gave.</summary>
    torch.Tensor Probabilities(torch.Tensor logits) => logits.sigmoid();

    /// <summary>Shape [B, K], from what <see cref="Logits"/> gave.</summary>
    /// <param name="labels">Shape [B, K].</param>
    torch.Tensor Losses(torch.Tensor logits, torch.Tensor labels) =>
        torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction: torch.nn.Reduction.None);
}

/// <summary>The tensors of one pass. B rows, F vectors of v columns each, sequences of L steps with S vectors each.</summary>
public sealed class RankerInput
{
    private readonly RankerShape _shape;
    private readonly torch.Tensor? _linear, _vectors, _sequence, _mask;

    /// <param name="shape">Of the rows.</param>
    /// <param name="rows">B.</param>
    /// <param name="linear">Shape [B, 1].</param>
    /// <param name="vectors">Shape [B, F, v].</param>
    /// <param name="sequence">Shape [B or 1, L, S v].</param>
    /// <param name="mask">Shape [B or 1, L].</param>
    public RankerInput(RankerShape shape, int rows, torch.Tensor? linear, torch.Tensor? vectors, torch.Tensor? sequence, torch.Tensor? mask) =>
        (_shape, Rows, _linear, _vectors, _sequence, _mask) = (shape, rows, linear, vectors, sequence, mask);

    /// <summary>B.</summary>
    public int Rows { get; }

    /// <summary>Shape [B, 1]: the sum of the first-order weights.</summary>
    public torch.Tensor Linear => _linear ?? throw new InvalidOperationException("the network did not ask for first-order terms");

    /// <summary>Shape [B, F, v]: target, other fields, pooled sequence, dense values.</summary>
    public torch.Tensor Vectors => _vectors ?? throw new InvalidOperationException("the network did not ask for vectors");

    /// <summary>Shape [B, F v].</summary>
    public torch.Tensor Flat => Vectors.reshape(Rows, -1);

    /// <summary>Shape [B, F' v]: without the pooled fields.</summary>
    public torch.Tensor Plain
    {
        get
        {
            if (_shape.PooledFields == 0) return Flat;
            var plain = Vectors.narrow(1, 0, _shape.Fields - _shape.PooledFields);
            if (_shape.DenseColumns > 0) plain = torch.cat([plain, Vectors.narrow(1, _shape.Fields, _shape.DenseColumns)], 1);
            return plain.reshape(Rows, -1);
        }
    }

    /// <summary>Shape [B, S v].</summary>
    public torch.Tensor Target => Vectors.narrow(1, 0, _shape.TargetFields).reshape(Rows, -1);

    /// <summary>Shape [B, L, S v], oldest step first and zeros after the last; [1, L, S v] where all rows are of one user.</summary>
    public torch.Tensor Sequence => _sequence ?? throw new InvalidOperationException("the network did not ask for the sequence");

    /// <summary>Shape [B or 1, L]: 1 where there is a step.</summary>
    public torch.Tensor Mask => _mask ?? throw new InvalidOperationException("the network did not ask for the sequence");

    /// <summary>Shape [B, S v]: the mean of the steps, zeros where there is none.</summary>
    public torch.Tensor MeanStep() => ForRows(Sequence.sum(1) / Mask.sum(1, keepdim: true).clamp_min(1));

    /// <summary>Shape [B, L]: softmax over the steps that there are; a row without a step has no share at all.</summary>
    /// <param name="scores">Shape [B, L].</param>
    public torch.Tensor SharesOfSteps(torch.Tensor scores)
    {
        var mask = ForRows(Mask);
        return (scores + (mask - 1) * 1e9f).softmax(1) * mask;
    }

    /// <summary>Repeats what is of shape [1, ...] for every row; no copy is made.</summary>
    public torch.Tensor ForRows(torch.Tensor shared)
    {
        if (shared.shape[0] == Rows) return shared;
        var sizes = shared.shape;
        sizes[0] = Rows;
        return shared.expand(sizes);
    }

    /// <summary>What a network adds to the loss, a scalar; set while learning only.</summary>
    public torch.Tensor? ExtraLoss { get; set; }

    /// <summary>Shape [B, h]: what stands before a network's last linear layer, for who reads more of a row than its log-odds; null where it leaves none.</summary>
    public torch.Tensor? Hidden { get; set; }
}
