using System.CommandLine;
using System.Runtime.InteropServices;
using Streaming.Core.Log;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;
using Streaming.Host.Settings;

namespace Streaming.Host.Cli;

/// <summary>The command line: verbs, and what every verb shares.</summary>
internal static class CliApp
{
    /// <summary>Exit codes: 0 done, 1 failed (the reason is on stderr), 130 interrupted.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="protocols">What evaluate and compare know; null for all of the project's.</param>
    public static async Task<int> RunAsync(string[] args, ProtocolRegistry? protocols = null)
    {
        var root = Root(protocols ?? ProtocolRegistry.Known);
        using var stop = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, stop));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, stop));
        // Without the library's own handlers: they answer with 143 where a verb ends while they still wait for it, and would by
        // themselves end a node after two seconds, in the middle of its last checkpoint.
        return await Parse(root, args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, stop.Token).ConfigureAwait(false);
    }

    /// <summary>Reads a command line. One without a verb is the demo's, options and all; only those of the root itself, as <c>--help</c>, need none.</summary>
    internal static ParseResult Parse(RootCommand root, IReadOnlyList<string> args)
    {
        var isDemo = args.Count == 0 || args[0].StartsWith('-') && !root.Options.Any(option => option.Name == args[0] || option.Aliases.Contains(args[0]));
        return root.Parse(isDemo ? ["demo", .. args] : args);
    }

    /// <summary>All verbs.</summary>
    internal static RootCommand Root(ProtocolRegistry protocols)
    {
        var root = new RootCommand(
            "Streaming: a real-time streaming recommender. Clicks come in, the user's list changes milliseconds later.\n\n"
            + "Without a verb, options or not: the demo, a node with a simulated audience that browses it over HTTP.\n\n"
            + "Exit codes: 0 done, 1 failed (the reason is on stderr), 130 interrupted.");
        root.Subcommands.Add(DemoVerb.Create());
        root.Subcommands.Add(NodeVerb.Create());
        root.Subcommands.Add(ReplayVerb.Create());
        root.Subcommands.Add(Past.ExplainAtVerb.Create());
        root.Subcommands.Add(AbVerb.Create());
        root.Subcommands.Add(EvaluateVerbs.CreateEvaluate(protocols));
        root.Subcommands.Add(EvaluateVerbs.CreateCompare(protocols));
        root.Subcommands.Add(LedgerVerb.Create(protocols));
        root.Subcommands.Add(DataVerb.Create());
        root.Subcommands.Add(FreshnessVerb.Create());
        root.Subcommands.Add(DrnVerb.Create());
        root.Subcommands.Add(ColdRecallVerb.Create());
        root.Subcommands.Add(BenchVerb.Create());
        root.Subcommands.Add(SoakVerb.Create());
        root.Subcommands.Add(Chaos.ChaosVerb.Create());
        root.Subcommands.Add(Cluster.ClusterCheckVerb.Create());
        root.Subcommands.Add(Cluster.MockKafkaVerb.Create());
        root.Subcommands.Add(Fuzz.FuzzVerb.Create());
        root.Subcommands.Add(ValidateVerb.Create());
        root.Subcommands.Add(BackupVerbs.CreateBackup());
        root.Subcommands.Add(BackupVerbs.CreateRestore());
        root.Subcommands.Add(CompletionVerb.Create());
        HelpExamples.AddTo(root);
        return root;
    }

    /// <summary>The verb is asked to end and takes the time that it needs; only a second Ctrl-C ends it where it stands.</summary>
    private static void Stop(PosixSignalContext signal, CancellationTokenSource stop)
    {
        signal.Cancel = signal.Signal != PosixSignal.SIGINT || !stop.IsCancellationRequested;
        try
        {
            stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended meanwhile.
        }
    }

    /// <summary>Runs a verb; an expected failure becomes its message on stderr and exit code 1.</summary>
    public static async Task<int> GuardAsync(Func<Task<int>> verb)
    {
        try
        {
            return await verb().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("interrupted").ConfigureAwait(false);
            return 130;
        }
        catch (Exception problem) when (IsExpected(problem))
        {
            await Console.Error.WriteLineAsync("streaming: " + problem.Message).ConfigureAwait(false);
            return 1;
        }
    }

    /// <summary>What the surroundings or the caller did wrong, with a message that says so; anything else is a bug and shows its stack.</summary>
    private static bool IsExpected(Exception problem) => problem is SettingsException or EventLogException or IOException or InvalidDataException
        or DataSetException or UnauthorizedAccessException or FormatException or HttpRequestException or PlatformNotSupportedException;
}
