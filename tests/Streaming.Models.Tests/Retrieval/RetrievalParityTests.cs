using System.Text.Json;
using Streaming.Models.Layers;
using Streaming.Models.Offline;
using Streaming.Models.Recall;
using Streaming.Models.Retrieval;
using Streaming.Suites;
using TorchSharp;

namespace Streaming.Models.Tests.Retrieval;

/// <summary>
/// item2vec, AutoRec (I-AutoRec of the live path too), TransRec, YouTubeDNN, DSSM, MIND and SDM against tests/parity/retrieval.py, an independent computation in PyTorch, example by example: the loss of
/// a mini-batch, its gradients, and the scores of all items, within 1e-4.
/// </summary>
public sealed class RetrievalParityTests
{
    private const float Tolerance = 1e-4f;

    [TorchFact]
    public void The_checked_in_case_agrees() => Agrees(Parity.Golden("retrieval"));

    [PythonTorchFact]
    public void A_case_computed_here_agrees() => Agrees(Parity.Computed("retrieval", 2));

    private static void Agrees(JsonElement given)
    {
        RetrievalAgrees(given);
        LiveItemAutoRecAgrees(given);
        int Number(string name) => given.GetProperty(name).GetInt32();
        var train = Train(given);
        var (dim, hidden, lambda) = (Number("dim"), Number("hidden"), given.GetProperty("lambda").GetSingle());
        var device = TestDevice.Torch ?? torch.CPU;
        var item2vec = new Item2Vec(train, new() { Dim = dim, Recent = Number("recent") }, 9);
        Agrees(given, "item2vec", item2vec, batch => item2vec.PairLoss(Numbers(batch, "centres", device), Numbers(batch, "contexts", device), Numbers(batch, "negatives", device)));
        var transRec = new TransRec(train, new() { Dim = dim, Regularisation = lambda }, 9);
        Agrees(given, "transrec", transRec, batch => transRec.StepLoss(
            Numbers(batch, "users", device), Numbers(batch, "before", device), Numbers(batch, "after", device), Numbers(batch, "negatives", device)));
        foreach (var (name, ofItems, unseen) in (ReadOnlySpan<(string, bool, float)>)
            [("autorec-u", false, 0.5f), ("autorec-i", true, 0.5f), ("autorec-u-grades", false, 0f), ("autorec-i-grades", true, 0f)])
        {
            var network = new AutoRec(train, new() { OfItems = ofItems, Unseen = unseen, Hidden = hidden, Regularisation = lambda }, 9);
            Agrees(given, name, network, batch =>
            {
                var rows = batch.GetProperty("rows").Rows();
                return network.RowLoss(TensorMemory.Tensor([.. rows.SelectMany(row => row)], [rows.Length, rows[0].Length], device));
            });
        }
    }

    private static void RetrievalAgrees(JsonElement given)
    {
        int Number(string name) => given.GetProperty(name).GetInt32();
        var (train, tower) = (Train(given), Number("tower"));
        var options = new RetrievalOptions { Dim = Number("dim"), HistoryMax = Number("length"), Power = given.GetProperty("power").GetDouble() };
        var mind = new Mind(train, options, new() { InterestsMax = Number("interests"), Rounds = Number("rounds"), Power = given.GetProperty("label_power").GetDouble(), Hidden = tower }, 9);
        given.GetProperty("first_logits").Floats().CopyTo(mind.FirstLogits, 0);
        foreach (var (name, network) in (ReadOnlySpan<(string, RetrievalNetwork)>)
            [
                ("youtube-dnn", new YouTubeDnn(train, options, [tower], 9)), ("mind", mind), ("sdm", new Sdm(train, options, heads: 1, Number("short"), 9)),
                ("dssm", new Dssm(train, options with { Power = 0 }, [tower], given.GetProperty("gamma").GetDouble(), 9)),
            ])
            Agrees(given, name, network, batch =>
            {
                int[] Of(string column) => [.. batch.GetProperty(column).EnumerateArray().Select(n => n.GetInt32())];
                var (users, before) = (Of("users"), Of("before"));
                return network.SampledLoss([.. users.Select((user, i) => new HistoryQuery(user, train.History(user)[..before[i]].ToArray()))],
                    [.. users.Select((user, i) => train.History(user)[before[i]])], Of("drawn"), learning: false, TestDevice.Torch ?? torch.CPU);
            });
    }

    private static void Agrees(JsonElement given, string name, IHistoryNetwork network, Func<JsonElement, torch.Tensor> loss)
    {
        var expected = given.GetProperty("models").GetProperty(name);
        var weights = expected.GetProperty("weights").Rows();
        weights.Length.ShouldBe(network.Parameters.Count, name);
        for (var i = 0; i < weights.Length; i++) network.Parameters[i].CopyFrom(weights[i]);
        using var scope = torch.NewDisposeScope();
        var device = TestDevice.Torch ?? torch.CPU;
        foreach (var parameter in network.Parameters) parameter.Begin(device, learning: true);
        LossAgrees(expected, name, network.Parameters, loss(expected.GetProperty("batch")));

        HistoryQuery[] queries = [.. given.GetProperty("queries").EnumerateArray().Select(q => new HistoryQuery(
            q.GetProperty("user").GetInt32(), [.. q.GetProperty("history").EnumerateArray().Select(i => i.GetInt32())]))];
        foreach (var parameter in network.Parameters) parameter.Begin(device, learning: false);
        ScoresAgree(expected, name, network.Scores(queries, device));
    }

    private static void LossAgrees(JsonElement expected, string name, IReadOnlyList<DenseParameter> parameters, torch.Tensor loss)
    {
        loss.backward();
        loss.item<float>().ShouldBe(expected.GetProperty("loss").GetSingle(), Tolerance, name);
        var gradients = expected.GetProperty("gradients").Rows();
        for (var i = 0; i < gradients.Length; i++)
        {
            var gradient = new float[gradients[i].Length];
            TensorMemory.ReadGradient(parameters[i].Leaf, gradient);
            Parity.ShouldBeClose(gradient, gradients[i], Tolerance, $"{name}, gradient of {parameters[i].Name}");
        }
    }

    private static void ScoresAgree(JsonElement expected, string name, torch.Tensor found)
    {
        float[] wanted = [.. expected.GetProperty("scores").Rows().SelectMany(row => row)];
        var scores = new float[wanted.Length];
        TensorMemory.Read(found, scores);
        Parity.ShouldBeClose(scores, wanted, Tolerance, $"{name}, scores");
    }

    /// <summary>Over the rows of a mini-batch, which a pass of the live path would have gathered from tables.</summary>
    private static void LiveItemAutoRecAgrees(JsonElement given)
    {
        const string Name = "autorec-i-live";
        const int Candidates = 4;
        var expected = given.GetProperty("models").GetProperty(Name);
        var (batch, hidden, device) = (expected.GetProperty("batch"), given.GetProperty("hidden").GetInt32(), TestDevice.Torch ?? torch.CPU);
        var network = new ItemAutoRec(new() { Hidden = hidden, Unseen = 0.5f, Regularisation = given.GetProperty("lambda").GetSingle() });
        using var scope = torch.NewDisposeScope();
        var weights = expected.GetProperty("weights").Rows();
        foreach (var (parameter, values) in network.Parameters.Zip(weights))
        {
            if (network.Tables.FirstOrDefault(t => t.Parameter == parameter) is { } table)
                parameter.Borrow(TensorMemory.Tensor(values, [values.Length / table.Columns, table.Columns], device, learned: true));
            else
            {
                parameter.CopyFrom(values);
                parameter.Begin(device, learning: true);
            }
        }
        long[] Told(string column) => [.. batch.GetProperty(column).EnumerateArray().SelectMany(n => n.ValueKind == JsonValueKind.Array ? n.EnumerateArray().ToArray() : [n]).Select(n => n.GetInt64())];
        var (histories, targets, users, read) = (Told("histories"), Told("targets"), Told("users"), Told("read"));
        var items = Numbers(batch, "histories", device);
        var (none, rows) = (torch.zeros_like(items), targets.Length);
        var history = new HistoryBatch(items, none, items.gt(0).to_type(torch.ScalarType.Float32), none, Numbers(batch, "users", device), torch.zeros(rows, 1));
        RecallPass Pass(long step) => new(
            history, Numbers(batch, "targets", device), Candidates, torch.zeros(1, Candidates), torch.ones(rows), given.GetProperty("items").GetInt32() - 1,
            (histories, targets, users), step);
        // One whose draws are the ones that were computed with.
        var pass = Enumerable.Range(1, 1000).Select(step => Pass(step)).First(p => Enumerable.Range(0, rows).All(row => (p.Draw(row, 2) == 0) == (read[row] == 1)));
        LossAgrees(expected, Name, network.Parameters, network.Loss(pass));
        using var quiet = torch.no_grad();
        ScoresAgree(expected, Name, network.Scores(pass));
    }

    private static Interactions Train(JsonElement given)
    {
        var (histories, grades, minutes) = (given.GetProperty("histories").Rows(), given.GetProperty("grades").Rows(), given.GetProperty("minutes").Rows());
        return new Interactions(histories.Length, given.GetProperty("items").GetInt32(), [.. histories.SelectMany((history, user) => history.Select(_ => user))],
            [.. histories.SelectMany(history => history.Select(item => (int)item))], [.. grades.SelectMany(row => row)],
            [.. minutes.SelectMany(row => row.Select(minute => (long)minute * 60_000))]);
    }

    private static torch.Tensor Numbers(JsonElement batch, string name, torch.Device device)
    {
        var array = batch.GetProperty(name);
        long[][] rows = [.. array.EnumerateArray().Select(row => row.ValueKind == JsonValueKind.Array ? row.EnumerateArray().Select(n => n.GetInt64()).ToArray() : [row.GetInt64()])];
        long[] shape = array[0].ValueKind == JsonValueKind.Array ? [rows.Length, rows[0].Length] : [rows.Length];
        return TensorMemory.Tensor([.. rows.SelectMany(row => row)], shape, device);
    }
}
