using Streaming.Models.Layers;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>In the live path the items drawn are those of the mini-batch, clicked or shown, and the correction is by how often mini-batches hold them.</summary>
public abstract partial class RetrievalNetwork : IRecallNetwork
{
    /// <summary>sqrt 3: a table's rows are uniform, of a standard deviation that the networks name.</summary>
    protected const double Uniform = 1.7320508075688772;

    public abstract IReadOnlyList<RowTable> Tables { get; }

    public virtual int VectorDim => Options.Dim;

    public virtual int VectorsMax => 1;

    public virtual IReadOnlyList<DenseBuffer> Buffers => [];

    public torch.Tensor Loss(RecallPass pass)
    {
        var items = ItemVectors(pass.CandidateNumbers);
        var user = ForTarget(Interests(pass.Batch, learning: true), items.index_select(0, pass.Targets - 1), pass.Batch);
        return pass.SoftmaxLoss(user.matmul(items.t()));
    }

    public torch.Tensor Scores(RecallPass pass)
    {
        var scores = Interests(pass.Batch, learning: false).matmul(ItemVectors(pass.CandidateNumbers).t());
        if (InterestMask(pass.Batch) is { } mask) scores += mask.unsqueeze(2);
        return scores.amax([1]);
    }

    public abstract int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into);

    public abstract void ItemVector(ulong item, RecallRows rows, Span<float> into);
}
