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
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => Task.FromResult(Run(common, parse, parse.GetValue(files) ?? [], roots.Roots(parse), cancel))));
        return command;
    }

    private static int Run(CommonOptions common, ParseResult parse, string[] files, DataRoots roots, CancellationToken cancel)
    {
        var settings = common.Load(parse);
        ApiServer.Check(settings, Console.Error.WriteLine);
        var json = common.Json(parse);
        if (!json) Console.WriteLine("settings are sound");
        long records = 0, bad = 0;
        foreach (var file in files)
        {
            long fileRecords = 0, fileBad = 0;
            foreach (var record in new ReplaySource(DataSets.Open(roots.Locate(file).Path), settings.Node.Seed).Records())
            {
                cancel.ThrowIfCancellationRequested();
                fileRecords++;
                if (EventParser.TryParse(record.Json.Span, EventLimits.TimeMsMin, out _, out var reason)) continue;
                if (fileBad++ < ProblemsShown) Console.Error.WriteLine($"{file}: record {record.Index + 1}: {reason}");
            }
            if (!json) Console.WriteLine($"{file}: {fileRecords:N0} records, {fileBad:N0} malformed");
            records += fileRecords;
            bad += fileBad;
        }
        if (json) JsonLine.Print([("ok", bad == 0), ("records", records), ("malformed", bad)]);
        return bad == 0 ? 0 : 1;
    }
}
