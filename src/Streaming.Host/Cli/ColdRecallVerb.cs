using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using Streaming.Core.Feeds;
using Streaming.Evaluation.ColdUsers;
using Streaming.Experiments;
using Streaming.Tensors;

namespace Streaming.Host.Cli;

/// <summary><c>cold-recall</c>: which recall channel finds the next click of users of whom little is known.</summary>
internal static class ColdRecallVerb
{
    public static Command Create()
    {
        var what = ColdRecallCase.Default;
        var command = new Command(
            "cold-recall", "Recall of the next click of new users by the two-tower model, ItemCF and other channels: simulated users, everything learned online, each channel asked before each click.");
        var seeds = new Option<int>("--seeds") { Description = "Runs, with consecutive seeds", DefaultValueFactory = _ => what.Seeds };
        var requests = new Option<int>("--requests") { Description = "Lists shown in a run", DefaultValueFactory = _ => what.Requests };
        var top = new Option<int>("--top") { Description = "k of recall@k", DefaultValueFactory = _ => what.Top };
        var policy = new Option<string>("--policy") { Description = "uniform: lists at random; ranked: the best of 100 random items by the live ranker", DefaultValueFactory = _ => what.Policy };
        var warmUp = new Option<double>("--warm-up") { Description = "Share of the lists before scoring starts", DefaultValueFactory = _ => what.WarmUp };
        var batch = new Option<int>("--batch") { Description = "Positive examples of a mini-batch", DefaultValueFactory = _ => what.BatchPositives };
        var noCorrection = new Option<bool>("--no-correction") { Description = "Learn without the correction for the sampling bias" };
        var negatives = new Option<bool>("--log-negatives") { Description = "Items that were shown without a click join the candidates of the softmax", DefaultValueFactory = _ => what.Tower.LogNegatives };
        var rate = new Option<float>("--rate") { Description = "Adam's step size for the towers", DefaultValueFactory = _ => what.Tower.Rate };
        var tableRate = new Option<float>("--table-rate") { Description = "Adam's step size for the rows", DefaultValueFactory = _ => what.Tower.TableRate };
        var temperature = new Option<float>("--temperature") { Description = "tau", DefaultValueFactory = _ => what.Tower.Temperature };
        foreach (var option in (Option[])[negatives, rate, tableRate, temperature]) command.Options.Add(option);
        foreach (var option in (Option[])[seeds, requests, top, policy, warmUp, batch, noCorrection]) command.Options.Add(option);
        var common = new CommonOptions(hasNode: false).AddTo(command);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            if (!TorchRuntime.TryLoad(out var reason)) throw new PlatformNotSupportedException($"the two-tower model cannot learn here: {reason}");
            var settings = common.Load(parse, ("Users:AttributionWindowMs", "1000"), ("Users:LateWindowMs", "0"), ("Users:ExampleHistoryMax", "20"), ("Learning:FtrlBits", "18"));
            var asked = what with
            {
                Seeds = parse.GetValue(seeds), Requests = parse.GetValue(requests), Top = parse.GetValue(top), Policy = parse.GetValue(policy)!, WarmUp = parse.GetValue(warmUp),
                BatchPositives = parse.GetValue(batch), Tower = what.Tower with
                {
                    CorrectsSampling = !parse.GetValue(noCorrection), LogNegatives = parse.GetValue(negatives), Rate = parse.GetValue(rate), TableRate = parse.GetValue(tableRate),
                    Temperature = parse.GetValue(temperature),
                },
            };
            var clock = Stopwatch.StartNew();
            var groups = await ProgressView.RunAsync($"{asked.Seeds} runs", common.Json(parse), progress => Task.Run(() => ColdRecall.Run(asked, settings, progress, cancel), cancel)).ConfigureAwait(false);
            if (common.Json(parse)) JsonLine.Print(Figures(asked, groups, settings.Node.Seed, clock.Elapsed.TotalSeconds));
            else Print(asked, groups);
            return 0;
        }));
        return command;
    }

    private static IEnumerable<(string, object?)> Figures(ColdRecallCase what, IReadOnlyList<ColdGroup> groups, long seed, double seconds) =>
    [
        ("counts", $"share of clicks whose item was among the channel's top {what.Top} live, unclicked items just before the click; by the user's earlier clicks"),
        ("policy", what.Policy), ("requests", what.Requests), ("seeds", what.Seeds), ("top", what.Top), ("warm_up", what.WarmUp), ("batch_positives", what.BatchPositives),
        ("corrects_sampling", what.Tower.CorrectsSampling), ("log_negatives", what.Tower.LogNegatives), ("rate", what.Tower.Rate), ("table_rate", what.Tower.TableRate),
        ("temperature", what.Tower.Temperature),
        ("groups", groups.Select(g => new
        {
            actions = g.Group, clicks = g.Clicks,
            recall = g.PerSeed.ToDictionary(c => c.Key, c => Figure(g.Mean(c.Key), c.Value)),
            two_tower_over_itemcf = Figure(g.Difference(FeedChannels.TwoTower, FeedChannels.ItemCf), null),
        }).ToArray()),
        ("seconds", seconds), ("seed", seed), ("hardware", Machine.Hardware),
    ];

    private static object Figure(SampleMean mean, double[]? perSeed) =>
        new { mean = Number(mean.Mean), sd = Number(mean.Deviation), bar95 = Number(mean.Bar), per_seed = perSeed?.Select(Number) };

    private static double? Number(double value) => double.IsFinite(value) ? Math.Round(value, 5) : null;

    private static void Print(ColdRecallCase what, IReadOnlyList<ColdGroup> groups)
    {
        var table = new Table().Border(TableBorder.Rounded).Title($"recall@{what.Top} of the next click, {what.Seeds} seeds, lists {what.Policy}").AddColumn("earlier clicks").AddColumn("clicks");
        foreach (var channel in ColdRecall.Channels) table.AddColumn(channel);
        table.AddColumn("two_tower - itemcf");
        foreach (var group in groups)
            table.AddRow(
            [
                group.Group, Tables.Text(group.Clicks), .. ColdRecall.Channels.Select(c => Text(group.Mean(c).Mean, group.Mean(c).Deviation)),
                Text(group.Difference(FeedChannels.TwoTower, FeedChannels.ItemCf).Mean, group.Difference(FeedChannels.TwoTower, FeedChannels.ItemCf).Bar),
            ]);
        Tables.Terminal().Write(table);
        Console.WriteLine("± is the standard deviation over seeds; of the difference, which is paired by seed, the 95 % t interval");
    }

    private static string Text(double mean, double spread) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{mean:0.0000} ± {spread:0.0000}");
}
