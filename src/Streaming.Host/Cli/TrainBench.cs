using System.CommandLine;
using System.Text.Json;
using Streaming.Host.Cli.Peers;
using Streaming.Learning.Benchmarks;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Host.Cli;

/// <summary><c>bench train</c>: examples per second of a deep model's training, beside the same model in plain PyTorch in the same run.</summary>
internal static class TrainBench
{
    private const int RankCalls = 1_000, RankCandidates = 300;

    public static Command Create()
    {
        var command = new Command(
            "train", "Training of a deep model: examples per second, beside the same model, data, batch, thread count and device in python3-torch, turn by turn; and ranking.");
        var common = new CommonOptions().AddTo(command);
        var shape = new DinBenchShape();
        var model = new Option<string>("--model") { Description = "The model: din", DefaultValueFactory = _ => "din" };
        var batch = new Option<int>("--batch") { Description = "Examples of a mini-batch", DefaultValueFactory = _ => shape.Batch };
        var items = new Option<int>("--items") { Description = "Vocabulary, log-uniform", DefaultValueFactory = _ => shape.Items };
        var threads = new Option<int>("--threads") { Description = "Threads of libtorch, here and there", DefaultValueFactory = _ => shape.Threads };
        var seconds = new Option<double>("--seconds") { Description = "Length of a turn", DefaultValueFactory = _ => 5 };
        var turns = new Option<int>("--turns") { Description = "Turns of each", DefaultValueFactory = _ => 2 };
        var device = new Option<string>("--device") { Description = "Where both train: cpu or cuda", DefaultValueFactory = _ => "cpu" };
        device.AcceptOnlyFromAmong("cpu", "cuda");
        foreach (var option in (Option[])[model, batch, items, threads, seconds, turns, device]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            if (parse.GetValue(model) != "din") throw new FormatException($"--model {parse.GetValue(model)}: there is din");
            if (!TorchRuntime.TryLoad(out var reason)) throw new FormatException(reason);
            if (parse.GetValue(device) == "cuda" && !torch.cuda.is_available()) throw new FormatException("--device cuda: libtorch finds no CUDA device here");
            shape = shape with { Batch = parse.GetValue(batch), Items = parse.GetValue(items), Threads = parse.GetValue(threads), Seed = common.Load(parse).Node.Seed };
            if (shape.Batch < 2 || shape.Items < 2 || shape.Threads < 1 || parse.GetValue(turns) < 1 || !(parse.GetValue(seconds) > 0))
                throw new FormatException("needs --batch and --items of 2, --threads and --turns of 1 at least, and some --seconds");
            return RunAsync(shape, parse.GetValue(device)!, parse.GetValue(seconds), parse.GetValue(turns), common.Json(parse), cancel);
        }));
        return command;
    }

    private static async Task<int> RunAsync(DinBenchShape shape, string device, double seconds, int turns, bool json, CancellationToken cancel)
    {
        using var bench = new DinBench(shape, torch.device(device));
        var folder = Directory.CreateTempSubdirectory("streaming-train");
        try
        {
            bench.Write(folder.FullName);
            var found = await ProgressView.ForAsync(
                "training", json, TimeSpan.FromSeconds(2 * turns * seconds), () => Task.Run(() => TakeTurnsAsync(bench, folder.FullName, device, seconds, turns, cancel), cancel)).ConfigureAwait(false);
            Report(shape, device, found.Ours, found.Theirs, found.OurLoss, found.TheirLoss, found.Peer, found.Rank, json);
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private sealed record Turns(List<double> Ours, List<double> Theirs, List<double> OurLoss, List<double> TheirLoss, string Peer, DinRankResult Rank);

    private static async Task<Turns> TakeTurnsAsync(DinBench bench, string folder, string device, double seconds, int turns, CancellationToken cancel)
    {
        List<double> ours = [], theirs = [], ourLoss = [], theirLoss = [];
        string? absent = null, version = null;
        for (var turn = 0; turn < turns; turn++)
        {
            cancel.ThrowIfCancellationRequested();
            var result = bench.Train(seconds);
            ours.Add(result.ExamplesPerSecond);
            ourLoss.Add(result.Loss);
            if (absent is not null) continue;
            var peer = await PythonPeer.RunAsync(
                "train_din.py", [folder, seconds.ToString(System.Globalization.CultureInfo.InvariantCulture), device], cancel).ConfigureAwait(false);
            if (peer.TryGetProperty("absent", out var why)) absent = $"{LastLine(why.GetString()!)}; apt-get install python3-torch, and run this again";
            else
            {
                theirs.Add(peer.GetProperty("examples_per_s").GetDouble());
                theirLoss.Add(peer.GetProperty("loss").GetDouble());
                version = peer.GetProperty("torch").GetString();
            }
        }
        return new Turns(ours, theirs, ourLoss, theirLoss, absent ?? version!, bench.Rank(RankCalls, RankCandidates));
    }

    private static string LastLine(string text) => text.Split('\n')[^1];

    private static void Report(
        DinBenchShape shape, string device, List<double> ours, List<double> theirs, List<double> ourLoss, List<double> theirLoss, string peer, DinRankResult rank, bool json)
    {
        var figures = new (string, object?)[]
        {
            ("counts", "each batch is predicted and then learned; made before the clock starts; turn by turn with the peer, whose figures are of the same data and its own first weights"),
            ("model", "din"), ("device", device), ("batch", shape.Batch), ("history", shape.History), ("dim", shape.Dim), ("dense", shape.Dense), ("items", shape.Items), ("threads", shape.Threads),
            ("examples_per_s", ours.Average()), ("turns_examples_per_s", ours.Select(r => Math.Round(r))),
            ("pytorch_examples_per_s", theirs.Count > 0 ? theirs.Average() : null), ("pytorch_turns_examples_per_s", theirs.Select(r => Math.Round(r))),
            ("ratio", theirs.Count > 0 ? ours.Average() / theirs.Average() : null), ("pytorch", peer),
            ("loss_of_first_turn", ourLoss[0]), ("pytorch_loss_of_first_turn", theirLoss.Count > 0 ? theirLoss[0] : null),
            ("rank_calls", rank.Calls), ("rank_candidates", rank.Candidates), ("rank_p50_ms", rank.P50Ms), ("rank_p99_ms", rank.P99Ms),
            ("rank_max_ms", rank.MaxMs), ("rank_largest_difference", rank.LargestDifference),
            ("seed", shape.Seed), ("hardware", Machine.Hardware),
        };
        if (json) JsonLine.Print(figures);
        else Tables.Print("DIN, training and ranking", figures.Select(f => (f.Item1, f.Item2 is IEnumerable<double> many ? string.Join(", ", many) : f.Item2)).ToArray());
    }
}
