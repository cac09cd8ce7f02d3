using System.CommandLine;
using Spectre.Console;
using Streaming.Evaluation.Simulation;

namespace Streaming.Host.Cli;

/// <summary><c>bench frequency</c>: the error of streaming frequency estimation over the steps.</summary>
internal static class FrequencyBench
{
    private static readonly double[] Rates = [0.1, 0.03, 0.01, 0.003];
    private static readonly int[] Hashes = [1, 2, 4, 8];

    /// <summary>The rate at which numbers of hash functions are compared.</summary>
    private const double RateOfHashes = 0.01;

    public static Command Create()
    {
        var command = new Command(
            "frequency", "Error of streaming frequency estimation (Yi et al. 2019) over the steps, by learning rate and by number of hash functions; half-way the items' distribution is turned round.");
        var common = new CommonOptions().AddTo(command);
        var setUp = new FrequencySetUp();
        var items = new Option<int>("--items") { Description = "M, the vocabulary", DefaultValueFactory = _ => setUp.Items };
        var batch = new Option<int>("--batch") { Description = "Draws of a mini-batch", DefaultValueFactory = _ => setUp.Batch };
        var steps = new Option<int>("--steps") { Description = "Mini-batches", DefaultValueFactory = _ => setUp.Steps };
        var slots = new Option<int>("--slots") { Description = "Slots of all hash functions together", DefaultValueFactory = _ => setUp.Slots };
        foreach (var option in (Option[])[items, batch, steps, slots]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var what = new FrequencySetUp(parse.GetValue(items), parse.GetValue(batch), parse.GetValue(steps), parse.GetValue(slots));
            if (what.Items < 2 || what.Batch < 1 || what.Steps < what.Points || what.Slots < Hashes[^1])
                throw new FormatException($"needs --items of 2, --batch of 1, --steps of {what.Points} and --slots of {Hashes[^1]} at least");
            var seed = common.Load(parse).Node.Seed;
            await RunAsync(what, (ulong)seed, common.Json(parse), cancel).ConfigureAwait(false);
            return 0;
        }));
        return command;
    }

    private static async Task RunAsync(FrequencySetUp what, ulong seed, bool json, CancellationToken cancel)
    {
        (double Rate, int Hashes)[] plan = [.. Rates.Select(rate => (rate, 1)), .. Hashes.Select(hashes => (RateOfHashes, hashes))];
        var curves = await ProgressView.ComputeAsync($"{plan.Length} curves", json, progress => plan.Select((curve, i) =>
        {
            cancel.ThrowIfCancellationRequested();
            progress?.Invoke((double)i / plan.Length);
            return FrequencyCurve.Run(what, curve.Rate, curve.Hashes, seed);
        }).ToArray(), cancel).ConfigureAwait(false);
        var (byRate, byHashes) = (curves[..Rates.Length], curves[Rates.Length..]);
        if (!json)
        {
            Print(what, "by learning rate, one hash function", byRate, c => $"alpha {c.LearningRate}", c => c.Errors);
            Print(what, $"by number of hash functions, alpha {RateOfHashes}", byHashes, c => $"m {c.Hashes}", c => c.Errors);
            Print(what, "of that, over-estimation", byHashes, c => $"m {c.Hashes}", c => c.Over);
            return;
        }
        JsonLine.Print(
        [
            ("counts", "sum over items of |estimated - true probability that a mini-batch holds the item|, over the sum of the true ones; 'over' is the part of over-estimated items"),
            ("items", what.Items), ("batch", what.Batch), ("steps", what.Steps), ("changed_at", what.Steps / 2), ("slots", what.Slots),
            ("measured_at", FrequencyCurve.Steps(what)), ("by_learning_rate", byRate.Select(Curve).ToArray()), ("by_hashes", byHashes.Select(Curve).ToArray()),
            ("seed", seed),
        ]);
    }

    private static object Curve(FrequencyErrors curve) => new
    {
        alpha = curve.LearningRate, hashes = curve.Hashes, error = curve.Errors.Select(e => Math.Round(e, 5)), over = curve.Over.Select(e => Math.Round(e, 5)),
    };

    private static void Print(FrequencySetUp what, string title, FrequencyErrors[] curves, Func<FrequencyErrors, string> name, Func<FrequencyErrors, double[]> figure)
    {
        var table = new Table().Border(TableBorder.Rounded).Title(title).AddColumn(new TableColumn("step").RightAligned());
        foreach (var curve in curves) table.AddColumn(new TableColumn(name(curve)).RightAligned());
        var steps = FrequencyCurve.Steps(what);
        for (var point = 0; point < steps.Length; point++)
        {
            var at = point;
            table.AddRow([Tables.Text((long)steps[at]), .. curves.Select(c => Tables.Text(figure(c)[at]))]);
        }
        Tables.Terminal().Write(table);
    }
}
