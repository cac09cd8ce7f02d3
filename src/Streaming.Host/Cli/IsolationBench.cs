using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Evaluation.Simulation;
using Streaming.Experiments;

namespace Streaming.Host.Cli;

/// <summary><c>bench ab-isolation</c>: two arms with planted weights that differ, learned together and each in an overlay.</summary>
internal static class IsolationBench
{
    public static Command Create()
    {
        var command = new Command("ab-isolation", "Two arms whose users click by different weights: what is recovered of them with shared weights, and with isolated arms.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var examples = new Option<int>("--examples") { Description = "Of both arms together", DefaultValueFactory = _ => 100_000 };
        var share = new Option<double>("--share") { Description = "Arm a's share of the users", DefaultValueFactory = _ => 0.5 };
        var seeds = new Option<int>("--seeds") { Description = "Runs, with consecutive seeds", DefaultValueFactory = _ => 5 };
        foreach (var option in (Option[])[examples, share, seeds]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var (count, part, runs) = (parse.GetValue(examples), parse.GetValue(share), parse.GetValue(seeds));
            if (count < 1000) throw new FormatException($"--examples is {count}; it must be at least 1000");
            if (part is not (>= 0.01 and <= 0.99)) throw new FormatException($"--share is {part}; allowed is 0.01 to 0.99");
            if (runs is < 1 or > 1000) throw new FormatException($"--seeds is {runs}; allowed is 1 to 1000");
            var seed = common.Load(parse).Node.Seed;
            var clock = Stopwatch.StartNew();
            var rows = await ProgressView.ComputeAsync($"2 x {runs} runs", common.Json(parse), progress => Measure(count, part, runs, seed, progress, cancel), cancel).ConfigureAwait(false);
            if (common.Json(parse)) Json(rows, count, part, runs, seed, clock.Elapsed.TotalSeconds);
            else Print(rows, count, runs);
            return 0;
        }));
        return command;
    }

    private static List<(string Way, string Arm, ArmRecovery[] Runs)> Measure(int examples, double share, int runs, long seed, Action<double>? progress, CancellationToken cancel)
    {
        var rows = new List<(string Way, string Arm, ArmRecovery[] Runs)>();
        var done = 0;
        foreach (var isolated in (bool[])[false, true])
        {
            var all = new IReadOnlyList<ArmRecovery>[runs];
            for (var s = 0; s < runs; s++)
            {
                cancel.ThrowIfCancellationRequested();
                all[s] = IsolationTrial.Run(isolated, examples, share, seed + s);
                progress?.Invoke(++done / (2.0 * runs));
            }
            for (var arm = 0; arm < 2; arm++) rows.Add((isolated ? "isolated" : "shared", all[0][arm].Arm, [.. all.Select(r => r[arm])]));
        }
        return rows;
    }

    private static void Json(List<(string Way, string Arm, ArmRecovery[] Runs)> rows, int examples, double share, int seeds, long seed, double seconds) => JsonLine.Print(
    [
        ("counts", "mean and standard deviation over seeds; correlation of learned and planted weights; log-loss beyond that of the planted probabilities, nats, second half; "
            + "lift: of what the best of ten candidates gains over a random one; foreign_mass: share of the gradients behind an arm's weights that the other arm's traffic made"),
        ("rows", rows.Select(r => (object)new Dictionary<string, object?>
        {
            ["learning"] = r.Way, ["arm"] = r.Arm, ["correlation"] = Pair(r.Runs, x => x.Correlation), ["excess_logloss"] = Pair(r.Runs, x => x.ExcessLoss),
            ["lift"] = Pair(r.Runs, x => x.Lift), ["foreign_mass"] = Pair(r.Runs, x => x.ForeignMass), ["examples"] = (long)r.Runs.Average(x => x.Examples),
        }).ToArray()),
        ("examples", examples), ("share", share), ("seeds", seeds), ("first_seed", seed), ("seconds", seconds), ("hardware", Machine.Hardware),
    ]);

    private static double[] Pair(ArmRecovery[] runs, Func<ArmRecovery, double> figure)
    {
        var mean = SampleMean.Of([.. runs.Select(figure)]);
        return double.IsNaN(mean.Deviation) ? [Math.Round(mean.Mean, 4)] : [Math.Round(mean.Mean, 4), Math.Round(mean.Deviation, 4)];
    }

    private static void Print(List<(string Way, string Arm, ArmRecovery[] Runs)> rows, int examples, int seeds)
    {
        var table = new Table().Border(TableBorder.Rounded).Title($"two arms with different weights, {Tables.Text((long)examples)} examples, {seeds} seeds");
        table.AddColumns("learning", "arm", "correlation", "excess log-loss", "lift", "foreign mass");
        foreach (var (way, arm, runs) in rows)
            table.AddRow(way, arm, Text(runs, r => r.Correlation), Text(runs, r => r.ExcessLoss), Text(runs, r => r.Lift), Text(runs, r => r.ForeignMass));
        Tables.Terminal().Write(table);
    }

    private static string Text(ArmRecovery[] runs, Func<ArmRecovery, double> figure) =>
        string.Join(" ± ", Pair(runs, figure).Select(v => v.ToString("0.0000", System.Globalization.CultureInfo.InvariantCulture)));
}
