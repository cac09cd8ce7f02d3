using Streaming.Core.Ids;
using Streaming.Models.Layers;
using Streaming.Models.Training;
using TorchSharp;

namespace Streaming.Models.Reranking;

/// <summary>A ranked list with what was clicked.</summary>
/// <param name="Features">Shape [items, C] row-major, in the order of the ranker before.</param>
/// <param name="Labels">Shape [items], 1 or 0.</param>
public sealed record LabelledList(float[] Features, float[] Labels);

/// <summary>Learns a <see cref="PrmNetwork"/> from lists; validation is NDCG@10 of others.</summary>
/// <param name="network">What learns.</param>
/// <param name="train">Lists with a click.</param>
/// <param name="held">Lists with a click that are not learned; may be empty.</param>
/// <param name="batchSize">Lists of a mini-batch.</param>
/// <param name="seed">Of their order.</param>
public sealed class PrmTask(PrmNetwork network, IReadOnlyList<LabelledList> train, IReadOnlyList<LabelledList> held, int batchSize, long seed) : ITrainingTask
{
    private const int CutOff = 10, HeldBatch = 256;

    private readonly ListBatch _batch = new(network.Columns);
    private readonly int[] _order = [.. Enumerable.Range(0, train.Count)];

    public IReadOnlyList<DenseParameter> Parameters => network.Parameters;

    public int BeginEpoch(int epoch)
    {
        var random = new Random(unchecked((int)StableHash.Combine(StableHash.Finalise((ulong)seed), (ulong)(uint)epoch)));
        for (var i = 0; i < _order.Length; i++) _order[i] = i;
        random.Shuffle(_order);
        // What is dropped is drawn by torch.
        torch.manual_seed(random.NextInt64());
        return (_order.Length + batchSize - 1) / batchSize;
    }

    public torch.Tensor Loss(int batch, torch.Device device)
    {
        _batch.Clear();
        for (var at = batch * batchSize; at < Math.Min(_order.Length, (batch + 1) * batchSize); at++) _batch.Add(train[_order[at]].Features, train[_order[at]].Labels);
        return PrmNetwork.Loss(network.Logits(_batch, learning: true, device), _batch, device);
    }

    public double Validate(torch.Device device)
    {
        if (held.Count == 0) return double.NaN;
        return Score(held, device).Select((scores, i) => Ndcg(scores, held[i].Labels)).Average();
    }

    /// <summary>Scores of each list's items, larger is better; on the CPU, by the parameters as they stand.</summary>
    public IReadOnlyList<float[]> Score(IReadOnlyList<LabelledList> lists)
    {
        using var scope = torch.NewDisposeScope();
        foreach (var parameter in Parameters) parameter.Begin(torch.CPU, learning: false);
        return Score(lists, torch.CPU);
    }

    private List<float[]> Score(IReadOnlyList<LabelledList> lists, torch.Device device)
    {
        var scores = new List<float[]>(lists.Count);
        using var quiet = torch.no_grad();
        for (var start = 0; start < lists.Count; start += HeldBatch)
        {
            _batch.Clear();
            for (var i = start; i < Math.Min(lists.Count, start + HeldBatch); i++) _batch.Add(lists[i].Features);
            using var scope = torch.NewDisposeScope();
            var padded = new float[_batch.Count * _batch.Longest];
            TensorMemory.Read(network.Logits(_batch, learning: false, device), padded);
            for (var i = 0; i < _batch.Count; i++) scores.Add(padded.AsSpan(i * _batch.Longest, _batch.Length(i)).ToArray());
        }
        return scores;
    }

    /// <summary>NDCG at <see cref="CutOff"/> of a list with binary labels; 0 without a positive.</summary>
    internal static double Ndcg(float[] scores, float[] labels)
    {
        var order = Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ToArray();
        var (gain, best, clicks) = (0.0, 0.0, labels.Count(l => l > 0));
        for (var place = 0; place < Math.Min(CutOff, order.Length); place++)
        {
            var share = 1 / Math.Log2(place + 2);
            if (labels[order[place]] > 0) gain += share;
            if (place < clicks) best += share;
        }
        return best == 0 ? 0 : gain / best;
    }
}
