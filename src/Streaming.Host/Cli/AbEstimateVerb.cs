using System.CommandLine;
using Spectre.Console;
using Streaming.Evaluation.Replay;
using Streaming.Experiments;

namespace Streaming.Host.Cli;

/// <summary><c>ab estimate</c>: what rankings would have earned, from the log, before they see a user.</summary>
internal static class AbEstimateVerb
{
    public static Command Create()
    {
        var command = new Command(
            "estimate", "What rankings would have earned, from the log of a node that is stopped (or on Kafka), before they see a user. Rests on lists whose order was drawn (Feeds:SlateShare).");
        var models = new Argument<string[]>("MODEL")
        {
            Description = $"Rankings: {string.Join(", ", LogEstimator.Models)}", Arity = ArgumentArity.ZeroOrMore, DefaultValueFactory = _ => [.. LogEstimator.Always],
        };
        command.Arguments.Add(models);
        var common = new CommonOptions().AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            var settings = common.Load(parse);
            string[] wanted = [.. parse.GetValue(models)!.Distinct()];
            LogEstimator.Check(wanted);
            var json = common.Json(parse);
            var estimates = await ProgressView.RunAsync(
                "replaying the log", json,
                progress => RunningNode.WithLogAsync(settings, settings.Node.DataDir, log => Task.FromResult(LogEstimator.Run(log, settings, wanted, progress, cancel)))).ConfigureAwait(false);
            if (json) Json(estimates);
            else Print(estimates);
            return 0;
        }));
        return command;
    }

    private static void Json(LogEstimates estimates) => JsonLine.Print(
    [
        ("counts", "clicks per slot that the ranking fills, given what stands above it; value and 95 % interval, users are the independent units; logged: of the order that was drawn"),
        ("slots", estimates.Slots), ("users", estimates.Users), ("unmatched", estimates.Unmatched), ("open", estimates.Open), ("logged", Triple(estimates.Logged)),
        ("models", estimates.Models.Select(m => (object)new Dictionary<string, object?>(
        [
            new("model", m.Model), .. OffPolicyInterval.Estimators.Zip(m.Estimates, (name, value) => new KeyValuePair<string, object?>(name, Triple(value))),
            new("mean_weight", Math.Round(m.Weights.Mean, 4)), new("effective_slots", Math.Round(m.Weights.EffectiveRows, 1)), new("agreement", Math.Round(m.Agreement, 4)),
        ])).ToArray()),
        ("hardware", Machine.Hardware),
    ]);

    private static double[] Triple(PolicyValue value) => [Math.Round(value.Value, 6), Math.Round(value.Low, 6), Math.Round(value.High, 6)];

    private static void Print(LogEstimates estimates)
    {
        var console = Tables.Terminal();
        console.WriteLine($"{estimates.Slots} slots of {estimates.Users} users were drawn at random, shown and labelled; their own click rate is {Text(estimates.Logged)}.");
        if (estimates.Unmatched > 0) console.WriteLine($"{estimates.Unmatched} more are left out: the log of events no longer holds the moment.");
        if (estimates.Open > 0) console.WriteLine($"{estimates.Open} more are left out: their clicks may still come.");
        var table = new Table().Border(TableBorder.Rounded).AddColumn("ranking");
        foreach (var estimator in OffPolicyInterval.Estimators) table.AddColumn(estimator);
        table.AddColumn(new TableColumn("worth slots").RightAligned());
        foreach (var model in estimates.Models)
            table.AddRow([Markup.Escape(model.Model), .. model.Estimates.Select(e => Markup.Escape(Text(e))), Tables.Text(Math.Round(model.Weights.EffectiveRows))]);
        console.Write(table);
        console.WriteLine("Clicks per slot that the ranking fills, with 95 % intervals. Rankings whose intervals lie apart differ; for a close call, run an experiment.");
    }

    private static string Text(PolicyValue value) => FormattableString.Invariant($"{value.Value:0.0000} [{value.Low:0.0000}, {value.High:0.0000}]");
}
