using System.CommandLine;
using Streaming.Core.Events;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Replay;
using Streaming.Host.Http;

namespace Streaming.Host.Cli;

/// <summary><c>validate</c>: settings and data files, before they matter.</summary>
internal static class ValidateVerb
{
    private const int ProblemsShown = 10;

    public static Command Create()
    {
        var command = new Command("validate", "Check settings, and data files if any are named: every record is parsed as the live path would.");
        var common = new CommonOptions().AddTo(command);
        var roots = new DataOptions().AddTo(command);
        var files = new Argument<string[]>("DATA") { Description = $"Data sets: {DataOptions.Help}; or event files", Arity = ArgumentArity.ZeroOrMore };
        command.Arguments.Add(files);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RunAsync(common, parse, parse.GetValue(files) ?? [], roots.Roots(parse), cancel)));
        return command;
    }

    private static async Task<int> RunAsync(CommonOptions common, ParseResult parse, string[] files, DataRoots roots, CancellationToken cancel)
    {
        var settings = common.Load(parse);
        ApiServer.Check(settings, Console.Error.WriteLine);
        var json = common.Json(parse);
        if (!json) Console.WriteLine("settings are sound");
        long records = 0, bad = 0;
        foreach (var file in files)
        {
            var (fileRecords, fileBad, shown) = await ProgressView.ComputeAsync(
                Path.GetFileName(file), json, progress => Check(new ReplaySource(DataSets.Open(roots.Locate(file).Path), settings.Node.Seed), progress, cancel), cancel).ConfigureAwait(false);
            foreach (var (index, reason) in shown) await Console.Error.WriteLineAsync($"{file}: record {index + 1}: {reason}").ConfigureAwait(false);
            if (!json) Console.WriteLine($"{file}: {fileRecords:N0} records, {fileBad:N0} malformed");
            records += fileRecords;
            bad += fileBad;
        }
        if (json) JsonLine.Print([("ok", bad == 0), ("records", records), ("malformed", bad)]);
        return bad == 0 ? 0 : 1;
    }

    private static (long Records, long Bad, List<(long Index, string Reason)> Shown) Check(ReplaySource source, Action<double>? progress, CancellationToken cancel)
    {
        long records = 0, bad = 0;
        var shown = new List<(long, string)>();
        foreach (var record in source.Records())
        {
            if ((records++ & 0xfff) == 0)
            {
                cancel.ThrowIfCancellationRequested();
                // By the set's rows where they are known, else by bytes; a set that knows neither stands still.
                var share = source.EventCount is { } count ? (double)records / count : source.Set.ReadShare;
                if (!double.IsNaN(share)) progress?.Invoke(Math.Min(1, share));
            }
            if (EventParser.TryParse(record.Json.Span, EventLimits.TimeMsMin, out _, out var reason)) continue;
            if (bad++ < ProblemsShown) shown.Add((record.Index, reason));
        }
        return (records, bad, shown);
    }
}
