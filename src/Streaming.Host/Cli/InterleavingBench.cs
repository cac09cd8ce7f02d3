using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Evaluation.Simulation;
using Streaming.Experiments;

namespace Streaming.Host.Cli;

/// <summary><c>bench ab-interleaving</c>: the users that it takes to find the better of two rankers, split and interleaved.</summary>
internal static class InterleavingBench
{
    public static Command Create()
    {
        var command = new Command("ab-interleaving", "Users needed to find the better of two rankers on simulated users: an A/B test, and two kinds of interleaving, at equal level and power.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var defaults = new InterleavingSetUp();
        var users = new Option<int>("--users") { Description = "Simulated at any time", DefaultValueFactory = _ => defaults.Users };
        var pages = new Option<int>("--pages") { Description = "Pages per user", DefaultValueFactory = _ => defaults.PagesPerUser };
        var worse = new Option<double>("--worse") { Description = "Noise that only ranker B has, logits", DefaultValueFactory = _ => defaults.Worse };
        var repeats = new Option<int>("--repeats") { Description = "Experiments drawn to check each number of users", DefaultValueFactory = _ => defaults.Repeats };
        var seeds = new Option<int>("--seeds") { Description = "Runs, with consecutive seeds", DefaultValueFactory = _ => 5 };
        foreach (var option in (Option[])[users, pages, worse, repeats, seeds]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var setUp = defaults with
            {
                Users = parse.GetValue(users), PagesPerUser = parse.GetValue(pages), Worse = parse.GetValue(worse), Repeats = parse.GetValue(repeats),
            };
            var runs = parse.GetValue(seeds);
            if (setUp.Users is < 10 or > 1_000_000 || setUp.PagesPerUser is < 1 or > 10_000) throw new FormatException("--users must be 10 to 1000000, --pages 1 to 10000");
            if (setUp.Worse is not (> 0 and <= 10)) throw new FormatException($"--worse is {setUp.Worse}; it must be over 0, at most 10");
            if (setUp.Repeats is < 1 or > 100_000 || runs is < 1 or > 1000) throw new FormatException("--repeats must be 1 to 100000, --seeds 1 to 1000");
            var seed = common.Load(parse).Node.Seed;
            var clock = Stopwatch.StartNew();
            var all = await ProgressView.ComputeAsync($"{runs} runs", common.Json(parse), progress => Enumerable.Range(0, runs).Select(s =>
            {
                progress?.Invoke((double)s / runs);
                return InterleavingStudy.Run(setUp, seed + s, cancel);
            }).ToArray(), cancel).ConfigureAwait(false);
            if (common.Json(parse)) Json(setUp, all, seed, clock.Elapsed.TotalSeconds);
            else Print(all);
            return 0;
        }));
        return command;
    }

    private static void Json(InterleavingSetUp setUp, IReadOnlyList<MethodNeeds>[] all, long seed, double seconds) => JsonLine.Print(
    [
        ("counts", "users_needed: by the variance of a run (z-scores), all arms together, two-sided level 0.05 and power 0.8; power_there: share of experiments with so many "
            + "users, drawn from the run with replacement, that found A better; ab: clicks per page, users as clusters; interleaving: sign test over users; effect: relative "
            + "difference of the rates, or P(A preferred) - P(B preferred); ratio: the A/B test's users over the method's"),
        ("methods", InterleavingStudy.Methods.Select((name, m) => (object)new Dictionary<string, object?>
        {
            ["method"] = name, ["effect"] = Pair(all, r => r[m].Effect), ["users_needed"] = Pair(all, r => r[m].UsersNeeded),
            ["ratio"] = Pair(all, r => r[0].UsersNeeded / r[m].UsersNeeded), ["ratio_by_seed"] = all.Select(r => Rounded(r[0].UsersNeeded / r[m].UsersNeeded, 1)).ToArray(),
            ["power_there"] = Pair(all, r => r[m].PowerThere), ["found_wrong"] = Pair(all, r => r[m].FoundWrong),
            ["users_needed_by_seed"] = all.Select(r => Rounded(r[m].UsersNeeded, 0)).ToArray(),
        }).ToArray()),
        ("users", setUp.Users), ("pages_per_user", setUp.PagesPerUser), ("noise", setUp.Noise), ("worse", setUp.Worse), ("repeats", setUp.Repeats),
        ("seeds", all.Length), ("first_seed", seed), ("seconds", seconds), ("hardware", Machine.Hardware),
    ]);

    private static double?[] Pair(IReadOnlyList<MethodNeeds>[] all, Func<IReadOnlyList<MethodNeeds>, double> figure)
    {
        var mean = SampleMean.Of([.. all.Select(figure)]);
        return double.IsNaN(mean.Deviation) ? [Rounded(mean.Mean, 4)] : [Rounded(mean.Mean, 4), Rounded(mean.Deviation, 4)];
    }

    /// <summary>Null for what no number of users would find.</summary>
    private static double? Rounded(double figure, int digits) => double.IsFinite(figure) ? Math.Round(figure, digits) : null;

    private static void Print(IReadOnlyList<MethodNeeds>[] all)
    {
        var table = new Table().Border(TableBorder.Rounded).Title($"users to find the better ranker: level 0.05, power 0.8, {all.Length} seeds");
        table.AddColumns("method", "effect", "users needed", "times fewer", "power there");
        for (var m = 0; m < InterleavingStudy.Methods.Count; m++)
        {
            var at = m;
            table.AddRow(
                InterleavingStudy.Methods[m], Text(all, r => r[at].Effect, "0.0000"), Text(all, r => r[at].UsersNeeded, "0"),
                Text(all, r => r[0].UsersNeeded / r[at].UsersNeeded, "0.0"), Text(all, r => r[at].PowerThere, "0.00"));
        }
        Tables.Terminal().Write(table);
    }

    private static string Text(IReadOnlyList<MethodNeeds>[] all, Func<IReadOnlyList<MethodNeeds>, double> figure, string format) =>
        string.Join(" ± ", Pair(all, figure).Select(v => v?.ToString(format, System.Globalization.CultureInfo.InvariantCulture) ?? "-"));
}
