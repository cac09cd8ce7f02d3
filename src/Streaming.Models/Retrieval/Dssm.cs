using Streaming.Models.Layers;
using Streaming.Models.Neural;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>
/// Two towers of tanh layers, y = tanh(W x + b), and the logit gamma cos(y_user, y_item) (Huang et al. 2013, "Learning Deep Structured Semantic Models
/// for Web Search using Clickthrough Data", equations 3 to 5). The paper's towers read hashed letter trigrams of a query and a title; here the query is
/// the bag of the history's items and the document the item, so that their first layer is a row for each item, as its word hashing is a row
/// for each trigram. Items are drawn uniformly, as the paper's. Features: sequence items.
/// Known number: none for these data.
/// </summary>
public sealed class Dssm : RetrievalNetwork
{
    private readonly double _gamma;
    private readonly DenseParameter _query, _document;
    private readonly Mlp _queryTower, _documentTower;

    /// <param name="train">What it learns from.</param>
    /// <param name="options">Sizes and examples.</param>
    /// <param name="hidden">Columns of the hidden layers of both towers.</param>
    /// <param name="gamma">Smoothing factor of the softmax.</param>
    /// <param name="seed">Of the first values.</param>
    public Dssm(Interactions train, RetrievalOptions options, IReadOnlyList<int> hidden, double gamma, ulong seed)
        : base(train, options)
    {
        _gamma = gamma;
        _query = PairNetwork.Table("query", train.ItemCount + 1, options.Dim, seed, 0.3);
        _document = PairNetwork.Table("document", train.ItemCount + 1, options.Dim, seed, 0.3);
        _queryTower = new Mlp("query.tower", options.Dim, hidden, options.Dim, (_, _) => new Tanh(), seed);
        _documentTower = new Mlp("document.tower", options.Dim, hidden, options.Dim, (_, _) => new Tanh(), seed);
        Parameters = [_query, _document, .. _queryTower.Parameters, .. _documentTower.Parameters];
    }

    public override IReadOnlyList<DenseParameter> Parameters { get; }

    protected override torch.Tensor Interests(HistoryBatch batch, bool learning)
    {
        // The first layer is linear in the bag, so that its tanh comes after the mean.
        var bag = Drop(Mean(Embed(_query, batch.Items), batch.There), learning).tanh();
        return (torch.nn.functional.normalize(_queryTower.Forward(bag, learning).tanh()) * _gamma).unsqueeze(1);
    }

    protected override torch.Tensor ItemVectors(torch.Tensor numbers) =>
        torch.nn.functional.normalize(_documentTower.Forward(Embed(_document, numbers).tanh(), false).tanh());

    public override IReadOnlyList<RowTable> Tables => [new(_document, RowsOf.Items, 0.3 * Uniform), new(_query, RowsOf.Items, 0.3 * Uniform)];

    public override int UserVectors(in RecallQuery query, RecallRows rows, Span<float> into)
    {
        var memory = Memory(_queryTower);
        var x = memory.Take(Options.Dim);
        rows.Mean(1, query.History, x);
        Plain(_queryTower, x, memory, into);
        foreach (ref var value in into[..Options.Dim]) value *= (float)_gamma;
        return 1;
    }

    public override void ItemVector(ulong item, RecallRows rows, Span<float> into)
    {
        var memory = Memory(_documentTower);
        var x = memory.Take(Options.Dim);
        rows.Row(0, item).CopyTo(x);
        Plain(_documentTower, x, memory, into);
    }

    private PlainMemory Memory(Mlp tower) => PlainMemory.Begin(Options.Dim + 2 * PlainForward.WidthMax(tower));

    private static void Plain(Mlp tower, Span<float> x, PlainMemory memory, Span<float> into)
    {
        PlainForward.Tanh(x);
        PlainForward.Run(tower, x, into, memory.Take(2 * PlainForward.WidthMax(tower)));
        into = into[..x.Length];
        PlainForward.Tanh(into);
        PlainForward.Normalise(into);
    }
}
