using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>
/// u = MLP([mean of E[item] over the history, a, a^2, sqrt(a)]) with ReLU between the layers, a the age of the example; the logit of item i is u . V[i],
/// a table of its own (Covington, Adams and Sargin 2016, "Deep Neural Networks for YouTube Recommendations", section 3; the powers of a
/// as in section 4.2). The age of an example is the time from the history's last item to the end of training. To recommend, the paper sets it
/// to 0, now; here each user's now is the moment of their last item. In the live
/// path an example is learned as it comes, so that every age is 0. Features: sequence items, dense age.
/// Known number: none; the paper's data are YouTube's.
/// </summary>
public sealed class YouTubeDnn : RetrievalNetwork
{
    private readonly DenseParameter _input, _output;
    private readonly Mlp _tower;

    /// <param name="train">What it learns from.</param>
    /// <param name="options">Sizes and examples.</param>
    /// <param name="hidden">Columns of the hidden layers.</param>
    /// <param name="seed">Of the first values.</param>
    public YouTubeDnn(Interactions train, RetrievalOptions options, IReadOnlyList<int> hidden, ulong seed)
        : base(train, options)
    {
        _input = PairNetwork.Table("item", train.ItemCount + 1, options.Dim, seed, 0.05);
        _output = PairNetwork.Table("output", train.ItemCount + 1, options.Dim, seed, 0.05);
        _tower = new Mlp("user", options.Dim + 3, hidden, options.Dim, (_, _) => new Relu(), seed);
        Parameters = [_input, _output, .. _tower.Parameters];
    }

    public override IReadOnlyList<DenseParameter> Parameters { get; }

    protected override torch.Tensor Interests(HistoryBatch batch, bool learning)
    {
        var pooled = Drop(Mean(Embed(_input, batch.Items), batch.There), learning);
        return _tower.Forward(torch.cat([pooled, batch.Ages, batch.Ages.square(), batch.Ages.sqrt()], 1), learning).unsqueeze(1);
    }

    protected override torch.Tensor ItemVectors(torch.Tensor numbers) => Embed(_output, numbers);

    public override IReadOnlyList<RowTable> Tables => [new(_output, RowsOf.Items, 0.05 * Uniform), new(_input, RowsOf.Items, 0.05 * Uniform)];

    public override int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var (columns, width) = (Options.Dim + 3, PlainForward.WidthMax(_tower));
        var memory = PlainMemory.Begin(columns + 2 * width);
        var x = memory.Zeros(columns);
        rows.Mean(1, query.History, x[..Options.Dim]);
        PlainForward.Run(_tower, x, into, memory.Take(2 * width));
        return 1;
    }

    public override void ItemVector(ulong item, RecallRows rows, Span<float> into) => rows.Row(0, item).CopyTo(into);
}
