using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Core.Settings;
using Streaming.Evaluation.Simulation;

namespace Streaming.Host.Cli;

/// <summary><c>drn</c>: the policies of DRN and the live ranker on simulated users who drift.</summary>
internal static class DrnVerb
{
    public static Command Create()
    {
        var command = new Command(
            "drn", "DRN with dueling-bandit exploration, epsilon-greedy and greedy, beside the live FTRL ranker, each alone with the simulated users who drift: "
                + "what they earned after the warm-up, mean and spread over seeds.");
        var defaults = new DrnSettings { ActivenessPeriodMs = 3_600_000 };
        var policies = new Option<string[]>("--policy") { Description = $"Of {string.Join(", ", DrnTrial.Policies)}; may be repeated; default all", HelpName = "NAME" };
        var seeds = new Option<int>("--seeds") { Description = "Runs of each, with consecutive seeds", DefaultValueFactory = _ => 5 };
        var hours = new Option<double>("--hours") { Description = "Event time of a run", DefaultValueFactory = _ => 16 };
        var warmUp = new Option<double>("--warm-up") { Description = "Share of the run that does not count", DefaultValueFactory = _ => 0.2 };
        var epsilon = Number("--epsilon", "Of epsilon-greedy", defaults.Epsilon);
        var alpha = Number("--alpha", "Scale of the perturbation", defaults.PerturbationScale);
        var eta = Number("--eta", "Share of a winning perturbation that is kept", defaults.MinorRate);
        var sharpness = Number("--sharpness", "Interleaving draws rank r in proportion to r^-sharpness", defaults.InterleaveSharpness);
        var gamma = Number("--gamma", "Discount", defaults.Gamma);
        var beta = Number("--beta", "Weight of user activeness in the reward", defaults.ActivenessWeight);
        var rate = Number("--rate", "Step size of the major updates", defaults.LearningRate);
        foreach (var option in (Option[])[policies, seeds, hours, warmUp, epsilon, alpha, eta, sharpness, gamma, beta, rate]) command.Options.Add(option);
        var common = new CommonOptions(hasNode: false).AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() =>
        {
            // Simulated users click within the second; waiting longer for their clicks would make every learner older than it need be. Their trends
            // have a half-life of an hour: so have, for every policy, the statistics.
            var settings = common.Load(
                parse, ("Users:AttributionWindowMs", "1000"), ("Users:LateWindowMs", "0"), ("Learning:FtrlBits", "18"),
                ("Learning:CtrHalfLifeMs", "3600000"), ("Learning:PopularityHalfLifeMs", "3600000"));
            var drn = defaults with
            {
                Epsilon = parse.GetValue(epsilon), PerturbationScale = parse.GetValue(alpha), MinorRate = parse.GetValue(eta),
                InterleaveSharpness = parse.GetValue(sharpness), Gamma = parse.GetValue(gamma), ActivenessWeight = parse.GetValue(beta), LearningRate = parse.GetValue(rate),
            };
            var names = parse.GetValue(policies) is { Length: > 0 } some ? some : [.. DrnTrial.Policies];
            return RunAsync(Check(names, parse.GetValue(seeds), parse.GetValue(hours), parse.GetValue(warmUp), drn), settings, common.Json(parse), cancel);
        }));
        return command;
    }

    private sealed record Plan(IReadOnlyList<string> Policies, int Seeds, double Hours, double WarmUp, DrnSettings Drn);

    private static Option<double> Number(string name, string description, double value) => new(name) { Description = description, DefaultValueFactory = _ => value };

    private static Plan Check(IReadOnlyList<string> policies, int seeds, double hours, double warmUp, DrnSettings drn)
    {
        foreach (var policy in policies)
            if (!DrnTrial.Policies.Contains(policy)) throw new FormatException($"--policy is '{policy}'; allowed are {string.Join(", ", DrnTrial.Policies)}");
        if (seeds is < 1 or > 1000) throw new FormatException($"--seeds is {seeds}; allowed is 1 to 1000");
        if (hours is not (> 0 and <= 10_000)) throw new FormatException($"--hours is {hours}; allowed is up to 10000");
        if (warmUp is not (>= 0 and < 1)) throw new FormatException($"--warm-up is {warmUp}; it must be at least 0 and under 1");
        var problems = new SettingsProblems();
        drn.Validate(problems);
        if (problems.List.Count > 0) throw new FormatException(string.Join("; ", problems.List));
        return new Plan(policies, seeds, hours, warmUp, drn);
    }

    private static async Task<int> RunAsync(Plan plan, StreamingSettings settings, bool json, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var results = await ProgressView.RunAsync("DRN on simulated users", json, progress => Task.Run(() => Run(plan, settings, progress, cancel), cancel)).ConfigureAwait(false);
        var rows = plan.Policies.Select(p => Row(p, [.. results.Where(r => r.Policy == p).OrderBy(r => r.Seed)])).ToList();
        if (!json) Print(plan, rows);
        if (json)
            JsonLine.Print([
                ("counts", "expected clicks of the lists shown after the warm-up, by the truth of the simulation; a list of 10 of all live items at every request"),
                ("policies", rows), ("seeds", plan.Seeds), ("first_seed", settings.Node.Seed), ("hours", plan.Hours), ("warm_up", plan.WarmUp),
                ("seconds", clock.Elapsed.TotalSeconds), ("hardware", Machine.Hardware),
            ]);
        return 0;
    }

    private static List<DrnTrialResult> Run(Plan plan, StreamingSettings settings, Action<double>? progress, CancellationToken cancel)
    {
        var all = new List<DrnTrialResult>();
        var runs = Enumerable.Range(0, plan.Seeds).SelectMany(s => plan.Policies.Select(p => (Policy: p, Seed: settings.Node.Seed + s))).ToArray();
        Parallel.ForEach(runs, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancel }, run =>
        {
            var seeded = settings with { Node = settings.Node with { Seed = run.Seed } };
            var result = DrnTrial.Run(run.Policy, AudienceSettings.Drifting, seeded, plan.Drn, (long)(plan.Hours * 3_600_000), plan.WarmUp, cancel);
            lock (all)
            {
                all.Add(result);
                progress?.Invoke(all.Count / (double)runs.Length);
            }
        });
        return all;
    }

    private static Dictionary<string, object?> Row(string policy, IReadOnlyList<DrnTrialResult> runs)
    {
        var (mean, spread) = MeanAndSpread([.. runs.Select(r => r.ExpectedReward)]);
        var (clicks, clicksSpread) = MeanAndSpread([.. runs.Select(r => r.Reward)]);
        return new Dictionary<string, object?>
        {
            ["policy"] = policy, ["reward"] = Math.Round(mean, 1), ["reward_sd"] = spread, ["clicks"] = Math.Round(clicks, 1),
            ["clicks_sd"] = clicksSpread, ["per_request"] = Math.Round(runs.Sum(r => r.ExpectedReward) / runs.Sum(r => r.Requests), 4),
            ["best_per_request"] = Math.Round(runs.Sum(r => r.Best) / runs.Sum(r => r.Requests), 4),
            ["reward_by_seed"] = runs.Select(r => Math.Round(r.ExpectedReward, 1)).ToArray(),
            ["per_request_by_tenth"] = Enumerable.Range(0, 10).Select(t => Math.Round(runs.Average(r => r.Parts[t]), 3)).ToArray(),
            ["minor_updates"] = runs.Sum(r => r.MinorUpdates), ["major_updates"] = runs.Sum(r => r.MajorUpdates), ["seconds_a_run"] = Math.Round(runs.Average(r => r.Seconds), 1),
        };
    }

    private static (double Mean, double? Spread) MeanAndSpread(double[] values)
    {
        var mean = values.Average();
        return (mean, values.Length < 2 ? null : Math.Round(Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1)), 1));
    }

    private static void Print(Plan plan, IReadOnlyList<Dictionary<string, object?>> rows)
    {
        var table = new Table().Border(TableBorder.Rounded).Title($"expected clicks over {plan.Hours * (1 - plan.WarmUp):0.#} h after the warm-up, {plan.Seeds} seeds").AddColumn("policy");
        string[] columns = ["reward", "reward_sd", "clicks", "clicks_sd", "per_request", "best_per_request", "seconds_a_run"];
        foreach (var column in columns) table.AddColumn(new TableColumn(Markup.Escape(column.Replace('_', ' '))).RightAligned());
        foreach (var row in rows) table.AddRow([Markup.Escape((string)row["policy"]!), .. columns.Select(c => Markup.Escape(Tables.Text(row[c])))]);
        Tables.Terminal().Write(table);
    }
}
