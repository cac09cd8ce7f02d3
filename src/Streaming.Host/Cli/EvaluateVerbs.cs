using System.CommandLine;
using System.CommandLine.Completions;
using Spectre.Console;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;
using Streaming.Evaluation.Results;
using Streaming.Models.Offline;
using Streaming.Models.Training;
using Streaming.Tensors;
using TorchSharp;

namespace Streaming.Host.Cli;

/// <summary><c>evaluate</c> and <c>compare</c>: models on recorded data, under a protocol that is named beside every figure.</summary>
internal static class EvaluateVerbs
{
    private const int SeedsMax = 1000, MinutesMax = 100_000;

    /// <summary>Options that both verbs have.</summary>
    private sealed class Shared
    {
        private readonly Option<string?> _data = new("--data") { Description = "Data set: " + DataOptions.Help, HelpName = "DATA" };
        private readonly Option<string?> _protocol = new("--protocol") { Description = "How to judge; evaluate --list describes them", HelpName = "NAME" };
        private readonly Option<int> _seeds = new("--seeds") { Description = "Runs, with consecutive seeds; more than one gives a spread", DefaultValueFactory = _ => 1 };
        private readonly Option<long> _seed = new("--seed") { Description = "First seed", DefaultValueFactory = _ => 1 };
        private readonly Option<bool> _record = new("--record") { Description = "Put the results into the ledger, in place of older ones of the same model, data set and protocol" };
        private readonly Option<string?> _ledger = new("--ledger") { Description = $"The ledger; default {Ledger.PlaceInCheckout} of the checkout", HelpName = "FILE" };
        private readonly Option<bool> _json = new("--json") { Description = "No terminal view; end with one JSON line on stdout" };
        private readonly Option<double?> _minutes = new("--minutes") { Description = "Time of a training after which no further epoch begins, and by which its step size has fallen to its end; default none", HelpName = "N" };
        private readonly Option<string> _device = new("--device") { Description = "Where models are trained and score: cpu or cuda", DefaultValueFactory = _ => "cpu" };
        private readonly Option<string?> _checkpoint = new("--checkpoint")
        {
            Description = "A training keeps its state in FILE.MODEL.PROTOCOL.SEED after every epoch, and goes on from there", HelpName = "FILE",
        };
        private readonly DataOptions _roots = new();

        public Shared AddTo(Command command, ProtocolRegistry protocols)
        {
            _data.CompletionSources.Add(_ => KnownSets.All.Select(set => new CompletionItem(set.Name)));
            _protocol.CompletionSources.Add(_ => protocols.All.Select(p => new CompletionItem(p.Name)));
            foreach (var option in (Option[])[_data, _protocol, _seeds, _seed, _minutes, _device, _checkpoint, _record, _ledger, _json]) command.Options.Add(option);
            _device.AcceptOnlyFromAmong("cpu", "cuda");
            _roots.AddTo(command);
            return this;
        }

        public bool Json(ParseResult parse) => parse.GetValue(_json);

        public Task<int> RunAsync(ParseResult parse, ProtocolRegistry protocols, string[] models, bool allModels, CancellationToken cancel)
        {
            var protocol = protocols.Find(parse.GetValue(_protocol) ?? throw Missing("--protocol NAME"));
            if (models.Length == 0 && !allModels) throw Missing($"--model NAME, one or more of {string.Join(", ", protocol.Models)}");
            if (models is ["all"]) models = [.. protocol.Models];
            if (models.Length == 0) models = [.. protocol.Models.Except(Recommenders.All.Where(m => m.NeedsLibtorch).Select(m => m.Name))];
            var seeds = parse.GetValue(_seeds);
            if (seeds is < 1 or > SeedsMax) throw new FormatException($"--seeds is {seeds}; allowed is 1 to {SeedsMax}");
            var place = _roots.Roots(parse).Locate(parse.GetValue(_data) ?? throw Missing("--data DATA"));
            var first = parse.GetValue(_seed);
            var known = ProtocolRegistry.Models(protocol, models);
            if (parse.GetValue(_checkpoint) is not null && known.FirstOrDefault(m => protocol.KeepsNoState(m) is not null) is { } without)
                throw new FormatException($"--checkpoint: {without} of {protocol.Name} keeps no state: {protocol.KeepsNoState(without)}");
            var plan = new EvaluationPlan(protocol, known, place, [.. Enumerable.Range(0, seeds).Select(i => first + i)], Training(parse));
            return EvaluateVerbs.RunAsync(plan, parse.GetValue(_record) ? LedgerVerb.LedgerFile(parse.GetValue(_ledger)) : null, Json(parse), cancel);
        }

        private TrainingRun Training(ParseResult parse)
        {
            var minutes = parse.GetValue(_minutes);
            if (minutes is not (null or (> 0 and <= MinutesMax))) throw new FormatException($"--minutes is {minutes}; allowed is above 0 to {MinutesMax}");
            var device = parse.GetValue(_device)!;
            if (device == "cuda" && !(TorchRuntime.TryLoad(out _) && torch.cuda.is_available()))
                throw new FormatException("--device cuda: libtorch finds no CUDA device here");
            return new TrainingRun
            {
                Device = device == "cpu" ? null : torch.device(device), TimeMax = minutes is { } time ? TimeSpan.FromMinutes(time) : null,
                CheckpointFile = parse.GetValue(_checkpoint),
            };
        }

        private static FormatException Missing(string what) => new($"needs {what} (./run evaluate --list shows what there is)");
    }

    public static Command CreateEvaluate(ProtocolRegistry protocols)
    {
        var command = new Command(
            "evaluate", "Run a model on recorded data under a named protocol. Each figure comes with its mean and spread over the seeds and, where the "
                + "protocol has users to draw again, the 95 % bootstrap interval of the first run.");
        var model = new Option<string[]>("--model") { Description = "Model of that protocol, or all; may be repeated, or several with commas", HelpName = "NAME" };
        var list = new Option<bool>("--list") { Description = "Print the protocols with their models, and run nothing" };
        command.Options.Add(model);
        model.CompletionSources.Add(_ => protocols.All.SelectMany(p => p.Models).Distinct().Order(StringComparer.Ordinal).Select(m => new CompletionItem(m)));
        var shared = new Shared().AddTo(command, protocols);
        command.Options.Add(list);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => parse.GetValue(list)
            ? Task.FromResult(List(protocols, shared.Json(parse)))
            : shared.RunAsync(parse, protocols, parse.GetValue(model) ?? [], allModels: false, cancel)));
        return command;
    }

    public static Command CreateCompare(ProtocolRegistry protocols)
    {
        var command = new Command("compare", "Run several models on the same data under the same protocol and print one table: floors first, the best value bold.");
        var models = new Option<string[]>("--models") { Description = "Models of that protocol, with commas; default all that need no libtorch", HelpName = "A,B,..." };
        command.Options.Add(models);
        var shared = new Shared().AddTo(command, protocols);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(() => shared.RunAsync(parse, protocols, parse.GetValue(models) ?? [], allModels: true, cancel)));
        return command;
    }

    private static async Task<int> RunAsync(EvaluationPlan plan, string? ledgerFile, bool json, CancellationToken cancel)
    {
        // Read before the work: a ledger that is broken shall not cost an hour first.
        if (ledgerFile is not null) Ledger.Load(ledgerFile);
        var commit = Checkout.Find()?.Commit() ?? "unknown";
        var hardware = plan.Training.Device is null ? Machine.Hardware : $"{Machine.Hardware}, CUDA";
        var rows = new List<LedgerRow>();
        foreach (var model in plan.Models)
        {
            // Waited for only until Ctrl-C: fitting a model cannot be cut, and nothing of it is kept.
            var measured = await ProgressView.RunAsync(plan.Seeds.Count > 1 ? $"{model}, {plan.Seeds.Count} seeds" : model, json, progress => Task.Run(
                () => Evaluator.Run(plan.Protocol, model, plan.Data.Path, plan.Seeds, progress, cancel, json ? Console.Error.WriteLine : null, plan.Training), CancellationToken.None).WaitAsync(cancel)).ConfigureAwait(false);
            var row = new LedgerRow
            {
                Data = plan.Data.Name, Protocol = plan.Protocol.Name, Model = model, Figures = measured.Figures, Seeds = measured.Seeds,
                Seconds = measured.Seconds, Hardware = hardware, Commit = commit, Date = DateOnly.FromDateTime(DateTime.UtcNow),
            };
            rows.Add(row);
            // Model by model, on the file as it is now: what is done stays when a later one fails, and another run may have written meanwhile.
            if (ledgerFile is not null) Ledger.Load(ledgerFile).With(row).Save(ledgerFile);
        }
        if (json) JsonLine.Print(Figures(plan, rows, ledgerFile));
        else Show(plan, rows, ledgerFile);
        return 0;
    }

    private static IEnumerable<(string Name, object? Value)> Figures(EvaluationPlan plan, IReadOnlyList<LedgerRow> rows, string? ledgerFile) =>
    [
        ("data", plan.Data.Name), ("path", plan.Data.Path), ("protocol", plan.Protocol.Name), ("description", plan.Protocol.Description),
        ("results", rows.Select(r => System.Text.Json.JsonDocument.Parse(r.ToJson()).RootElement).ToArray()), ("recorded_in", ledgerFile),
    ];

    private static void Show(EvaluationPlan plan, IReadOnlyList<LedgerRow> rows, string? ledgerFile)
    {
        Console.WriteLine($"{plan.Data.Name}, {plan.Protocol.Name}: {plan.Protocol.Description}");
        Tables.Terminal().Write(rows is [var only] ? Vertical(only) : Matrix(ResultTable.Ordered(rows)));
        var spread = plan.Seeds.Count > 1 ? $"± standard deviation over {plan.Seeds.Count} seeds, where they differ; " : "";
        Console.WriteLine($"{spread}[] 95 % bootstrap interval of seed {plan.Seeds[0]}. {rows[0].Hardware}, commit {rows[0].Commit}.");
        if (rows.Count > 1 && rows[0].Figures.Count > ResultTable.Metrics(rows).Count) Console.WriteLine("--json has the other metrics too.");
        if (ledgerFile is not null) Console.WriteLine($"recorded in {ledgerFile}; ./run ledger --write-readme puts it into the README");
    }

    /// <summary>One model: a line for each metric.</summary>
    private static Table Vertical(LedgerRow row)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn(Markup.Escape(row.Model)).AddColumn(new TableColumn("value"));
        foreach (var figure in row.Figures) table.AddRow(Markup.Escape(figure.Metric), Markup.Escape(ResultTable.Text(figure)));
        return table.AddRow("seconds a run", Tables.Text(row.Seconds));
    }

    /// <summary>Several models: a line for each, the interval under the value.</summary>
    private static Table Matrix(IReadOnlyList<LedgerRow> rows)
    {
        var best = ResultTable.Best(rows);
        var metrics = ResultTable.Metrics(rows);
        var table = new Table().Border(TableBorder.Rounded).AddColumn(new TableColumn("model").NoWrap());
        foreach (var metric in metrics) table.AddColumn(Markup.Escape(metric));
        table.AddColumn(new TableColumn("seconds a run").RightAligned());
        foreach (var row in rows)
        {
            string Cell(string metric)
            {
                if (row.Figures.FirstOrDefault(f => f.Metric == metric) is not { } figure) return "-";
                var text = Markup.Escape(ResultTable.Text(figure, interval: false));
                if (best.TryGetValue(metric, out var top) && text.Split(' ')[0] == top) text = $"[bold green]{text}[/]";
                return double.IsNaN(figure.Low) ? text : $"{text}\n[dim]{Markup.Escape(ResultTable.Interval(figure))}[/]";
            }
            table.AddRow([Markup.Escape(row.Model), .. metrics.Select(Cell), Tables.Text(row.Seconds)]);
        }
        return table;
    }

    private static int List(ProtocolRegistry protocols, bool json)
    {
        if (json)
        {
            JsonLine.Print([("protocols", protocols.All.Select(p => new { name = p.Name, description = p.Description, models = p.Models }).ToArray())]);
            return 0;
        }
        if (protocols.All.Count == 0) Console.WriteLine("there is no protocol yet");
        // Many protocols judge the same models: those are listed once, with a line each.
        var offline = Recommenders.All.Select(r => r.Name).ToList();
        foreach (var protocol in protocols.All)
        {
            Tables.Terminal().MarkupLineInterpolated($"[bold]{protocol.Name}[/]");
            Console.WriteLine($"  {protocol.Description}\n  models: {(protocol.Models.SequenceEqual(offline) ? "the offline models, below" : string.Join(", ", protocol.Models))}\n");
        }
        if (!protocols.All.Any(p => p.Models.SequenceEqual(offline))) return 0;
        Tables.Terminal().MarkupLine("[bold]The offline models[/]");
        foreach (var model in Recommenders.All) Console.WriteLine($"  {model.Name}: {model.Summary}");
        return 0;
    }
}

/// <summary>What is to be measured.</summary>
internal sealed record EvaluationPlan(
    IProtocol Protocol, IReadOnlyList<string> Models, Streaming.Evaluation.DataSets.DataPlace Data, IReadOnlyList<long> Seeds, TrainingRun Training);
