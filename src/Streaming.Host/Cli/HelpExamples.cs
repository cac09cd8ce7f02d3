using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Streaming.Host.Cli;

/// <summary>Examples below the help of each verb; the list of verbs has their descriptions alone.</summary>
internal static class HelpExamples
{
    /// <summary>By the verb, its parents before it. A line is a command without <c>./run</c>, and what it is for.</summary>
    private static readonly Dictionary<string, (string Command, string For)[]> ByVerb = new()
    {
        [""] =
        [
            ("", "watch it learn"),
            ("node --listen 127.0.0.1:8080", "a production node on the embedded log"),
            ("node --kafka broker:9092", "the same on Kafka"),
            ("replay ml-100k --json", "a real data set through the live path"),
            ("ab list", "experiments of a running node"),
            ("ab report", "what the hold-out shows, for people"),
            ("evaluate --list", "how models are judged, and which"),
            ("explain-at --user ann --time 2026-03-01T12:00Z", "what she was shown, and why"),
            ("data", "where the data sets come from"),
            ("bench pipeline --json", "events per second, nothing skipped"),
            ("chaos --seconds 60 --json", "kill a node under load; is anything lost or doubled?"),
            ("validate --settings my.json", "check settings before a deploy"),
        ],
        ["demo"] =
        [
            ("demo --seconds 60", "a minute of it, and its figures"),
            ("demo --arms lr,deepfm --listen 127.0.0.1:8080", "two more arms, at an address that stays"),
        ],
        ["node"] =
        [
            ("node", "all roles on the embedded log, in .data/node"),
            ("node --settings my.json --data-dir /var/lib/streaming", "for good"),
            ("node --kafka broker:9092 --role users,serve --set Kafka:Ownership=group", "one of several that share the users"),
            ("node --kafka broker:9092 --role trainer --set Deep:Models:0=din", "learns a deep model for them"),
        ],
        ["replay"] =
        [
            ("replay ml-1m --data-dir .data/ml-1m", "goes on where it was killed"),
            ("replay clicks.csv --columns user=uid,item=sku,time=ts", "a table of one's own"),
            ("replay events.jsonl.gz --items items.jsonl --json", "lines as they would be posted"),
        ],
        ["explain-at"] =
        [
            ("explain-at --user ann --time 2026-03-01T12:00:00Z --data-dir data", "a user at a moment"),
            ("explain-at --user ann --time 2026-03-01T12:00:00Z --and 2026-03-01T12:05:00Z", "what five minutes changed"),
            ("explain-at --user ann --time 2026-03-01T12:00:00Z --arm learned --versus holdout", "two rankings of the same moment"),
        ],
        ["ab"] =
        [
            ("ab define experiments.json", "what shall run"),
            ("ab start short 0.1", "on a tenth of its layer"),
            ("ab audit --limit 5", "who changed what"),
        ],
        ["ab power"] = [("ab power --baseline 0.05 --mde 0.1 --users-per-day 2000", "days until a tenth more clicks is found")],
        ["ab report"] =
        [
            ("ab report", "the hold-out, of a running node"),
            ("ab report short --offline --data-dir .data/node", "an experiment, from the log of a node that is stopped"),
        ],
        ["ab estimate"] = [("ab estimate lr --data-dir .data/node", "what that ranker would have earned")],
        ["evaluate"] =
        [
            ("evaluate --list", "protocols and their models"),
            ("evaluate --data ml-1m --protocol leave-one-out-all-items --model sasrec --minutes 20", "as far as twenty minutes take it"),
            ("evaluate --data ranklens --protocol ctr-chronological --model deepfm --seeds 3 --record", "into the ledger"),
        ],
        ["compare"] =
        [
            ("compare --data ml-100k --protocol leave-one-out-all-items", "all models that need no libtorch"),
            ("compare --data ml-1m --protocol leave-one-out-given-negatives --models popularity,ease,gmf", "these three"),
        ],
        ["ledger"] = [("ledger --write-readme", "README's tables as the ledger has them"), ("ledger --check", "are they?")],
        ["data"] = [("data ml-1m", "its files and their hashes"), ("data check downloads", "which sets lie in a folder")],
        ["freshness-curve"] = [("freshness-curve --data simulator --seeds 3 --svg curve.svg", "on users who drift"), ("freshness-curve --data ml-1m", "on recorded ratings")],
        ["drn"] = [("drn --policy drn,ftrl --seeds 2 --json", "two of the four, twice each")],
        ["cold-recall"] = [("cold-recall --seeds 1 --requests 10000", "a third of the usual length")],
        ["bench"] = [("bench pipeline --json", "events per second"), ("bench rank --all --json", "every ranker's latency"), ("bench overload --seconds 30 --json", "three times the capacity")],
        ["soak"] = [("soak simulation --seeds 1000 --json", "about three minutes on two cores"), ("soak simulation --from 42 --seeds 1 --trace steps.txt", "a seed again, step by step")],
        ["chaos"] = [("chaos --seconds 300 --json", "about sixty kills"), ("chaos --seconds 60 --kafka broker:9092", "the log on Kafka")],
        ["cluster-check"] = [("cluster-check --events 20000 --json", "a small one on mock brokers"), ("cluster-check --kafka broker:9092 --json", "on real ones")],
        ["fuzz"] = [("fuzz --seconds 60", "everything"), ("fuzz --target codecs --seconds 600", "stored forms, longer")],
        ["validate"] = [("validate --settings my.json", "settings"), ("validate events.jsonl", "every line as the node would take it")],
        ["backup"] = [("backup backups/monday --data-dir .data/node", "while it runs or not"), ("backup backups/monday --verify", "is it whole?")],
        ["restore"] = [("restore backups/monday --data-dir .data/restored", "into a new folder")],
        ["completion"] = [("completion bash", "eval \"$(./run completion bash)\" in ~/.bashrc; zsh likewise"), ("completion fish", "./run completion fish | source, in ~/.config/fish/config.fish")],
    };

    /// <summary>Has the help of a command and those below it end with their examples.</summary>
    public static void AddTo(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new WithExamples((HelpAction)help.Action!);
    }

    /// <summary>Arguments of a verb's examples; none where it has none.</summary>
    internal static IEnumerable<string> Of(string verb) => ByVerb.TryGetValue(verb, out var examples) ? examples.Select(e => e.Command) : [];

    /// <summary>Verbs that have examples.</summary>
    internal static IEnumerable<string> Verbs => ByVerb.Keys;

    private sealed class WithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parse)
        {
            var code = help.Invoke(parse);
            if (!ByVerb.TryGetValue(PathOf(parse.CommandResult), out var examples)) return code;
            var output = parse.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            var width = examples.Max(e => e.Command.Length);
            foreach (var (command, reason) in examples) output.WriteLine($"  ./run {command.PadRight(width)}  # {reason}");
            output.WriteLine();
            return code;
        }

        private static string PathOf(System.CommandLine.Parsing.CommandResult at)
        {
            var names = new List<string>();
            for (var command = at; command?.Parent is System.CommandLine.Parsing.CommandResult parent; command = parent) names.Insert(0, command.Command.Name);
            return string.Join(' ', names);
        }
    }
}
