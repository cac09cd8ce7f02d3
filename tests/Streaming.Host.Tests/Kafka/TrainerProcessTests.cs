using System.Globalization;
using System.Text.RegularExpressions;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;
using Streaming.Host.Tests.Metrics;
using Streaming.Kafka;
using Streaming.Learning.Deep;
using Streaming.Node.Deep;
using Streaming.Tensors;

namespace Streaming.Host.Tests.Kafka;

/// <summary>The role trainer as a process of its own beside a node, both on one Kafka log, and kill -9.</summary>
public sealed class TrainerProcessTests : IDisposable
{
    private const string Model = "din";
    private const long Long = 3_600_000;

    /// <summary>Three examples each, and a step has at most 32.</summary>
    private const int AheadPerStep = 12;

    private static readonly string Prefix = $"streaming-trainer-test-{TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()}-{Environment.ProcessId}-";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("streaming-test-");
    private readonly CancellationTokenSource _stop = new();
    private StreamingSettings _settings = null!;

    /// <summary>Skipped, with the reason, where librdkafka or libtorch is absent.</summary>
    private sealed class TrainerFactAttribute : FactAttribute
    {
        public TrainerFactAttribute() => Skip = KafkaLibrary.Problem ?? (TorchRuntime.TryLoad(out var reason) ? null : reason);
    }

    public void Dispose()
    {
        _stop.Dispose();
        _folder.Delete(recursive: true);
    }

    [TrainerFact]
    public async Task Killed_again_and_again_it_goes_on_the_node_keeps_up_and_the_model_is_that_of_one_left_alone()
    {
        var bootstrap = Environment.GetEnvironmentVariable("KAFKA_BOOTSTRAP");
        using var mock = string.IsNullOrEmpty(bootstrap) ? new MockKafkaCluster(brokers: 1) : null;
        _settings = SettingsOf(mock?.Bootstrap ?? bootstrap!);
        foreach (var topic in Topics.All) mock?.CreateTopic(Prefix + topic, topic == Topics.DeadLetter ? 1 : _settings.Log.Partitions);
        await using var live = await LiveNode.StartAsync(_settings, Sub("node"));
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i{{i}}","tags":["t{{i % 3}}"]}"""))).Status.ShouldBe(200);
        var browsing = Task.Run(() => BrowseAsync(live));
        var random = new Random(5);

        // No checkpoint but the first, so every life begins with all the steps of those before.
        for (var kills = 0; kills < 2; kills++) await KilledLifeAsync(live, random, Long);
        var report = await EndedLifeAsync(live, Long);
        report.GetProperty("din_reenacted").GetInt32().ShouldBeGreaterThan(20);
        report.GetProperty("din_steps").GetInt64().ShouldBeGreaterThan(report.GetProperty("din_reenacted").GetInt32());
        using (var alone = Open("alone", keepStates: 1))
        using (var killed = Open("killed", keepStates: 2))
        {
            // The one has the fresh state and does every batch in one go; the other loads what the process ended with.
            alone.Reenacted.ShouldBeGreaterThan(20);
            killed.Reenacted.ShouldBe(0);
            ShouldBeEqual(alone, killed);
            killed.Learner.Steps.ShouldBe(report.GetProperty("din_steps").GetInt64());
        }

        // Kills fall into checkpoints too now, and what the log gives up follows them.
        for (var kills = 0; kills < 2; kills++) await KilledLifeAsync(live, random, 150);
        await EndedLifeAsync(live, 150);
        using (var older = Open("older", keepStates: 1))
        using (var newer = Open("newer", keepStates: 2)) ShouldBeEqual(older, newer);

        await _stop.CancelAsync();
        await browsing;
        live.Node.Status().Deep.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            m => m.Steps.ShouldBe(0, "this process learns nothing"), m => m.Corrupt.ShouldBe(0), m => m.IsBroken.ShouldBeFalse());
    }

    private static StreamingSettings SettingsOf(string bootstrap) => LiveNode.SmallSettings with
    {
        Log = LiveNode.SmallSettings.Log with { Kind = "kafka", RetentionHours = 0, RetentionMbPerPartition = 0, RecordBytesMax = 1 << 16 },
        // The mock cluster holds an empty fetch to the end even when a record arrives.
        Kafka = new KafkaSettings { Bootstrap = bootstrap, Prefix = Prefix, FetchWaitMs = 10 },
        Node = LiveNode.SmallSettings.Node with { Roles = [NodeRoles.Ingest, NodeRoles.Users, NodeRoles.Serve] },
        Users = new UsersSettings { AttributionWindowMs = 100, LateWindowMs = 100 },
        Deep = new DeepSettings
        {
            Models = [Model], Device = "cpu", BatchSizeMax = 32, BatchWaitMs = 20, PublishIntervalMs = 200, DenseIntervalMs = 200, CanaryExamples = 16,
            CanaryLossTolerance = 10, CanaryCalibrationTolerance = 10,
        },
        Experiments = new ExperimentsSettings { HoldoutShare = 0, ArmShares = new() { [Model] = .9 } },
    };

    private StreamingProcess Start(long checkpointMs)
    {
        var deep = _settings.Deep;
        (string Key, IFormattable Value)[] numbers =
        [
            ("Log:Partitions", _settings.Log.Partitions), ("Log:RecordBytesMax", _settings.Log.RecordBytesMax), ("Log:RetentionHours", 0),
            ("Log:RetentionMbPerPartition", 0), ("Kafka:FetchWaitMs", 10), ("Deep:BatchSizeMax", deep.BatchSizeMax), ("Deep:BatchWaitMs", deep.BatchWaitMs),
            ("Deep:PublishIntervalMs", deep.PublishIntervalMs), ("Deep:DenseIntervalMs", deep.DenseIntervalMs), ("Deep:CanaryExamples", deep.CanaryExamples),
            ("Deep:CanaryLossTolerance", deep.CanaryLossTolerance), ("Deep:CanaryCalibrationTolerance", deep.CanaryCalibrationTolerance),
            ("Deep:CheckpointIntervalMs", checkpointMs), ("Learning:FtrlBits", _settings.Learning.FtrlBits),
        ];
        return StreamingProcess.Start(
        [
            "node", "--role", NodeRoles.Trainer, "--kafka", _settings.Kafka.Bootstrap, "--data-dir", Sub("trainer"), "--listen", "127.0.0.1:0", "--json",
            "--set", $"Kafka:Prefix={Prefix}", "--set", $"Deep:Models:0={Model}", "--set", "Deep:Device=cpu",
            .. numbers.SelectMany(n => new[] { "--set", $"{n.Key}={n.Value.ToString(null, CultureInfo.InvariantCulture)}" }),
        ]);
    }

    /// <summary>A process that learns and publishes, and is killed in the middle of whatever it is at.</summary>
    private async Task KilledLifeAsync(LiveNode live, Random random, long checkpointMs)
    {
        using var trainer = Start(checkpointMs);
        await WorksAsync(live, trainer);
        await Task.Delay(random.Next(300));
        await trainer.KillAsync();
    }

    /// <summary>A process that is asked to end; returns its report.</summary>
    private async Task<System.Text.Json.JsonElement> EndedLifeAsync(LiveNode live, long checkpointMs)
    {
        using var trainer = Start(checkpointMs);
        using var http = new HttpClient { BaseAddress = new Uri(Regex.Match(await trainer.StderrLineAsync("figures on http://"), @"http://[\d.:]+").Value) };
        await WorksAsync(live, trainer);
        var page = Exposition.Parse(await http.GetStringAsync("/metrics"));
        foreach (var name in (string[])["auc", "gauc", "log_loss", "normalised_entropy", "calibration"])
            page.Samples.ShouldContain(s => s.Name == "streaming_prequential_" + name && s.Labels["model"] == Model && double.IsFinite(s.Value), name);
        (await http.GetStringAsync("/v1/status")).ShouldContain("\"name\":\"din\"");
        trainer.Terminate();
        (await trainer.ExitAsync()).ShouldBe(0, trainer.Stderr);
        return trainer.Json;
    }

    /// <summary>Until some more steps are in the journal and the node makes lists with a version that it did not have before.</summary>
    private async Task WorksAsync(LiveNode live, StreamingProcess trainer)
    {
        var (steps, serving) = (Steps(), Serving());
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (Steps() < steps + 15 || Serving() <= serving)
        {
            trainer.HasExited.ShouldBeFalse(trainer.Stderr);
            clock.Elapsed.TotalSeconds.ShouldBeLessThan(300, $"{Steps()} steps, version {Serving()} served; {trainer.Stderr}");
            await Task.Delay(20);
        }

        long Serving() => live.Node.Status().Deep[0].Serving;
    }

    /// <summary>Steps in the journals, of those that a checkpoint has not made superfluous; with its number, so that it only grows.</summary>
    private long Steps()
    {
        var worker = Path.Combine(Sub("trainer"), "workers", Model);
        if (!Directory.Exists(worker)) return 0;
        var newest = Directory.GetFiles(worker, "steps-*.bin").Order(StringComparer.Ordinal).LastOrDefault();
        if (newest is null) return 0;
        var id = long.Parse(Path.GetFileNameWithoutExtension(newest)["steps-".Length..], CultureInfo.InvariantCulture);
        // A frame of two partitions has some 25 bytes; a checkpoint counts as the steps that made it due.
        return (id - 1) * 15 + new FileInfo(newest).Length / 25;
    }

    /// <summary>A worker here over a copy of the process's folder as it is now, with the oldest or with all of its checkpoints.</summary>
    private DeepWorker Open(string name, int keepStates)
    {
        var (from, to) = (Path.Combine(Sub("trainer"), "workers", Model), Directory.CreateDirectory(Sub(name)).FullName);
        var states = Directory.GetFiles(from, "state-*.bin").Order(StringComparer.Ordinal).ToList();
        states.Count.ShouldBe(2);
        foreach (var file in Directory.GetFiles(from, "*.bin").Except(states).Concat(states.Take(keepStates))) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        var settings = _settings.Resolved();
        return DeepWorker.Open(new DeepWorkerParts
        {
            Name = Model, Scores = DeepZoo.ScoresOf(Model), Create = catalog => DeepZoo.Create(Model, settings, catalog), Settings = settings,
            Log = new KafkaEventLog(settings.Kafka, settings.Log, TimeProvider.System), Folder = to,
            Notice = text => throw new InvalidOperationException(text),
        });
    }

    private static void ShouldBeEqual(DeepWorker one, DeepWorker two)
    {
        Content(one).ShouldBe(Content(two));
        one.Learner.Steps.ShouldBe(two.Learner.Steps);
        one.Learner.Figures().ShouldBe(two.Learner.Figures());

        static string Content(DeepWorker worker)
        {
            using var into = new MemoryStream();
            worker.Learner.WriteContent(into);
            return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(into.ToArray()));
        }
    }

    /// <summary>
    /// Users see three items and click the one of their tag, one after the other, until told to stop. They wait for the trainer now and then: the
    /// mock cluster keeps 5 MB a partition, and what it drops cannot be learned again. What they may be ahead is more than a full batch for every step,
    /// so that a trainer that finds a backlog, and learns it in full batches, never waits for them while they wait for it.
    /// </summary>
    private async Task BrowseAsync(LiveNode live)
    {
        var (done, last) = (0L, 0L);
        for (var at = 0; !_stop.IsCancellationRequested; at++)
        {
            while (at > AheadPerStep * (Done() + 10) && !_stop.IsCancellationRequested) await Task.Delay(10);
            var (user, tag) = ($"u{at % 12}", at % 3);
            var shown = string.Join(',', Enumerable.Range(0, 3).Select(k => $"\"i{(at * 7 + k) % 10 * 3 + k}\""));
            string[] events =
            [
                $$"""{"type":"impression","user":"{{user}}","items":[{{shown}}]}""", $$"""{"type":"click","user":"{{user}}","item":"i{{(at * 7 + tag) % 10 * 3 + tag}}"}""",
            ];
            var outcomes = await live.Node.Ingest.EventsAsync([.. events.Select(e => (ReadOnlyMemory<byte>)System.Text.Encoding.UTF8.GetBytes(e))]);
            await live.Node.WaitAppliedAsync(outcomes[^1].Position, TimeSpan.FromSeconds(60), CancellationToken.None);
            await Task.Delay(10);
        }

        // A checkpoint counts as fewer steps than it may have made superfluous: of a step back nothing is taken off.
        long Done()
        {
            var now = Steps();
            done += Math.Max(0, now - last);
            last = now;
            return done;
        }
    }

    private string Sub(string name) => Path.Combine(_folder.FullName, name);
}
