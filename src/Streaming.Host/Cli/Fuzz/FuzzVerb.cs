using System.CommandLine;

namespace Streaming.Host.Cli.Fuzz;

/// <summary><c>fuzz</c>: bytes that nobody meant, at everything that takes bytes from outside or from the disk.</summary>
internal static class FuzzVerb
{
    private const string CorpusInCheckout = "tests/corpus";
    private static readonly string[] Groups = ["parser", "codecs", "http", "settings"];
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(30);

    public static Command Create()
    {
        var command = new Command("fuzz", "Changed and broken input at the parsers, stored forms, HTTP and settings: exits with 1 if any is taken wrongly. Findings are written as files.");
        var common = new CommonOptions(hasNode: false).AddTo(command);
        var target = new Option<string>("--target") { Description = "parser, codecs, http, settings, all, or one part, as codecs/example", DefaultValueFactory = _ => "all" };
        var seconds = new Option<int>("--seconds") { Description = "Time for all targets together; the corpus is run through in any case", DefaultValueFactory = _ => 60 };
        var corpus = new Option<string?>("--corpus") { Description = $"Folder of inputs to begin with; {CorpusInCheckout} of the checkout", HelpName = "DIR" };
        var findings = new Option<string>("--findings") { Description = "Folder for inputs that broke something", HelpName = "DIR", DefaultValueFactory = _ => ".data/fuzz" };
        foreach (var option in (Option[])[target, seconds, corpus, findings]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => RunAsync(
            common, parse, parse.GetValue(target)!, parse.GetValue(seconds), parse.GetValue(corpus), parse.GetValue(findings)!, cancel)));
        return command;
    }

    /// <summary>The targets of a group, one part, or all. Whoever takes them disposes of them.</summary>
    /// <exception cref="FormatException">There is none of that name.</exception>
    public static async Task<IReadOnlyList<FuzzTarget>> TargetsAsync(string name)
    {
        var group = name.Split('/')[0];
        if (group != "all" && !Groups.Contains(group)) throw new FormatException($"there is no target '{name}'; there are {string.Join(", ", Groups)}, all, and parts of them, as codecs/example");
        var targets = new List<FuzzTarget>();
        if (group is "parser" or "all") targets.AddRange([new EventTarget(), new ItemTarget()]);
        if (group is "codecs" or "all") targets.AddRange(Codecs.Targets());
        if (group is "http" or "all") targets.Add(await HttpTarget.StartAsync().ConfigureAwait(false));
        if (group is "settings" or "all") targets.Add(new SettingsTarget());
        if (name == group) return targets;
        foreach (var other in targets.Where(t => t.Name != name).ToList())
        {
            targets.Remove(other);
            other.Dispose();
        }
        return targets.Count > 0 ? targets : throw new FormatException($"there is no part '{name}'");
    }

    /// <summary>The kept inputs of a target, by name of file.</summary>
    public static IReadOnlyList<byte[]> Corpus(string folder, FuzzTarget target)
    {
        var own = Path.Combine(folder, target.Name);
        return Directory.Exists(own) ? [.. Directory.EnumerateFiles(own).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)] : [];
    }

    private static async Task<int> RunAsync(CommonOptions common, ParseResult parse, string name, int seconds, string? corpus, string findings, CancellationToken cancel)
    {
        var settings = common.Load(parse);
        corpus ??= Checkout.Find() is { } checkout ? Path.Combine(checkout.Root, CorpusInCheckout) : "";
        var targets = await TargetsAsync(name).ConfigureAwait(false);
        var results = new List<FuzzResult>();
        try
        {
            await ProgressView.ForAsync("fuzzing", common.Json(parse), TimeSpan.FromSeconds(seconds), () => Task.Run(() =>
            {
                Run();
                return 0;
            })).ConfigureAwait(false);
        }
        finally
        {
            foreach (var target in targets) target.Dispose();
        }

        void Run()
        {
            foreach (var target in targets)
            {
                var fuzzer = new Fuzzer(target, Corpus(corpus, target), settings.Node.Seed);
                using var watch = new Timer(_ => EndIfHanging(fuzzer, target, findings), null, Hang, TimeSpan.FromSeconds(1));
                results.Add(fuzzer.Run(long.MaxValue, TimeSpan.FromSeconds((double)seconds / targets.Count), cancel));
                foreach (var finding in results[^1].Findings) Write(finding, findings);
            }
        }

        var found = results.Sum(r => r.Findings.Count);
        var figures = new (string, object?)[]
        {
            ("target", name), ("inputs", results.Sum(r => r.Inputs)), ("corpus", results.Sum(r => r.Corpus)), ("outcomes", results.Sum(r => r.Outcomes)), ("findings", found),
            ("slowest_ms", results.Max(r => r.SlowestMs)), ("inputs_by_target", results.ToDictionary(r => r.Target, r => r.Inputs)), ("seed", settings.Node.Seed),
            ("peak_rss_mb", Machine.PeakRssMb()), ("hardware", Machine.Hardware),
        };
        if (common.Json(parse)) JsonLine.Print(figures);
        else Tables.Print("Fuzz", [.. figures.Where(f => f.Item1 != "inputs_by_target"), .. results.Select(r => (r.Target, (object?)r.Inputs))]);
        return found == 0 ? 0 : 1;
    }

    private static void Write(FuzzFinding finding, string findings)
    {
        var folder = Directory.CreateDirectory(Path.Combine(findings, finding.Target)).FullName;
        var path = Path.Combine(folder, finding.FileName);
        File.WriteAllBytes(path, finding.Input);
        Console.Error.WriteLine($"{finding.Target}: {finding.Problem}: {path}");
    }

    /// <summary>Nothing can stop a thread that does not come back: so the process says which input it was, and ends.</summary>
    private static void EndIfHanging(Fuzzer fuzzer, FuzzTarget target, string findings)
    {
        if (fuzzer.UnderWay is not { } now || now.For < Hang) return;
        Write(new FuzzFinding(target.Name, now.Input, $"has not come back for {now.For.TotalSeconds:N0} s"), findings);
        Environment.Exit(1);
    }
}
