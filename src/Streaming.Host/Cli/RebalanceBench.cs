using System.CommandLine;
using Streaming.Simulation;

namespace Streaming.Host.Cli;

/// <summary><c>bench rebalance</c>: what a node's coming or going costs where there are more shards than one machine holds.</summary>
internal static class RebalanceBench
{
    public static Command Create()
    {
        var command = new Command("rebalance", "Nodes that come, go and are killed among many, on virtual time: how many shards move, and how long these pause.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var plan = new RebalancePlan();
        var shards = new Option<int>("--shards") { Description = "Partitions of events", DefaultValueFactory = _ => plan.Shards };
        var nodes = new Option<int>("--nodes") { Description = "With the role users", DefaultValueFactory = _ => plan.Nodes };
        var round = new Option<double>("--round-ms") { Description = "A round under load", DefaultValueFactory = _ => plan.RoundMs };
        var takeOver = new Option<double>("--take-over-ms") { Description = "One shard at the node that it comes to", DefaultValueFactory = _ => plan.TakeOverMs };
        var group = new Option<double>("--group-ms") { Description = "One meeting of the group", DefaultValueFactory = _ => plan.GroupMs };
        foreach (var option in (Option[])[shards, nodes, round, takeOver, group]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var settings = common.Load(parse);
            plan = plan with
            {
                Shards = parse.GetValue(shards), Nodes = parse.GetValue(nodes), RoundMs = parse.GetValue(round), TakeOverMs = parse.GetValue(takeOver), GroupMs = parse.GetValue(group),
                SessionTimeoutMs = settings.Kafka.SessionTimeoutMs, Seed = settings.Node.Seed,
            };
            if (plan.Nodes < 2 || plan.Nodes > plan.Shards) throw new FormatException($"--nodes is {plan.Nodes}; it must be 2 to --shards");
            var outcomes = await ProgressView.ComputeAsync("rebalancing", common.Json(parse), progress =>
            {
                var simulated = new Rebalancing(plan);
                Func<RebalanceOutcome>[] steps = [simulated.Join, () => simulated.Kill(0), () => simulated.Leave(0)];
                return steps.Select((step, i) =>
                {
                    cancel.ThrowIfCancellationRequested();
                    progress?.Invoke((double)i / steps.Length);
                    return step();
                }).ToArray();
            }, cancel).ConfigureAwait(false);
            (string, object?)[] figures =
            [
                ("counts", "simulated: the group moves as few shards as balance allows; a node hands over after its round, and takes over so many at once; pause: of the moved shards, the others have none"),
                ("shards", plan.Shards), ("nodes", plan.Nodes), ("round_ms", plan.RoundMs), ("commit_ms", plan.CommitMs), ("group_ms", plan.GroupMs), ("take_over_ms", plan.TakeOverMs),
                ("take_overs_at_once", plan.TakeOversAtOnce), ("session_timeout_ms", plan.SessionTimeoutMs),
                .. outcomes.SelectMany(o => ((string, object?)[])
                    [($"{o.Event}_moved", o.Moved), ($"{o.Event}_ms", o.TookMs), ($"{o.Event}_pause_ms_p50", o.PauseMsP50), ($"{o.Event}_pause_ms_p99", o.PauseMsP99), ($"{o.Event}_spread", o.Spread)]),
                ("seed", plan.Seed),
            ];
            if (common.Json(parse)) JsonLine.Print(figures);
            else Tables.Print("Rebalancing", figures);
            return 0;
        }));
        return command;
    }
}
