using System.CommandLine;
using Streaming.Experiments.Splitting;

namespace Streaming.Host.Cli;

/// <summary><c>bench ab-assign</c>: whether assignment is uniform and independent between layers, and what it costs.</summary>
internal static class AssignBench
{
    public static Command Create()
    {
        var command = new Command(
            "ab-assign", "Users into buckets and arms: uniformity and independence between layers by chi-square, nanoseconds and bytes per assignment. "
                + "Exits with 1 where a p-value is below the bound or assignment allocates.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var users = new Option<int>("--users") { Description = "Synthetic ids", DefaultValueFactory = _ => 10_000_000 };
        var bound = new Option<double>("--p-min") { Description = "Smallest p-value that passes", DefaultValueFactory = _ => 0.001 };
        foreach (var option in (Option[])[users, bound]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            common.Load(parse);
            var trial = await ProgressView.ComputeAsync("assigning", common.Json(parse), progress => AssignmentTrial.Run(parse.GetValue(users), cancel, progress), cancel).ConfigureAwait(false);
            var holds = trial.SmallestP >= parse.GetValue(bound) && trial.BytesPerAssignment == 0;
            var figures = new (string, object?)[]
            {
                ("counts", "ids u0, u1, ...; uniformity: chi-square of the users per bucket, one degree of freedom less than buckets; independence: chi-square of the table of two "
                    + "layers' buckets mod 100; assignment: three layers, hold-out and default layer, one thread, ids made before the clock starts"),
                ("users", trial.Users), ("layers", trial.Layers.Select(l => new { layer = l.Name, buckets = l.Buckets, chi_square = l.ChiSquare, df = l.DegreesOfFreedom, p = l.P }).ToArray()),
                ("pairs", trial.Pairs.Select(l => new { layers = l.Name, chi_square = l.ChiSquare, df = l.DegreesOfFreedom, p = l.P }).ToArray()), ("smallest_p", trial.SmallestP),
                ("ns_per_assignment", trial.NanosecondsPerAssignment), ("bytes_per_assignment", trial.BytesPerAssignment), ("arms", trial.Arms), ("holds", holds), ("hardware", Machine.Hardware),
            };
            if (common.Json(parse)) JsonLine.Print(figures);
            else Tables.Print("assignment", figures.Where(f => f.Item1 is not ("layers" or "pairs")));
            return holds ? 0 : 1;
        }));
        return command;
    }
}
