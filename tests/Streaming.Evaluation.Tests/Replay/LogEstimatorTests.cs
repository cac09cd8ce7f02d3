using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Evaluation.Replay;
using Streaming.Experiments;
using Streaming.Suites;
using Streaming.Suites.Fakes;

namespace Streaming.Evaluation.Tests.Replay;

/// <summary>Estimates from a log whose slots were drawn from slates of four items with known click rates.</summary>
public sealed class LogEstimatorTests
{
    private const long Start = 1_700_000_000_000;
    private static readonly double[] Rates = [0.5, 0.2, 0.1, 0.05];

    private static readonly StreamingSettings Settings = new()
    {
        Log = new LogSettings { Partitions = 2 }, Learning = new LearningSettings { FtrlBits = 14 },
        Users = new UsersSettings { AttributionWindowMs = 1000, LateWindowMs = 0 },
    };

    private sealed class Scene
    {
        private readonly Random _random = new(3);
        private int _users;
        private long _now = Start;

        public MemoryEventLog Log { get; } = new(Settings.Log);

        /// <summary>A list of four in drawn order, whose first slot a new user sees, and clicks at the item's rate. Returns the item of that slot.</summary>
        public int Show(int times = 1, string? user = null, bool? clicks = null)
        {
            user ??= $"u{_users++}";
            int[] order = [0, 1, 2, 3];
            _random.Shuffle(order);
            for (var time = 0; time < times; time++)
            {
                _now += 10;
                Event($$"""{"type":"impression","user":"{{user}}","item":"i{{order[0]}}","position":0,"ts":{{_now}}}""", user);
                var clicked = clicks ?? _random.NextDouble() < Rates[order[0]];
                if (clicked) Event($$"""{"type":"click","user":"{{user}}","item":"i{{order[0]}}","ts":{{_now + 5}}}""", user);
                Example(user, order, clicked);
            }
            return order[0];
        }

        /// <summary>An action of a type that is not built in, by a user of the partition.</summary>
        public void Act(int partition, int item)
        {
            var user = Enumerable.Range(0, 100).Select(i => $"actor-{i}").First(u => PartitionOf(u) == partition);
            _now += 10;
            Event($$"""{"type":"mine","user":"{{user}}","item":"i{{item}}","ts":{{_now}}}""", user);
        }

        /// <summary>What a node says to a partition that it leads once somebody has given that type a weight.</summary>
        public void Weigh(int partition)
        {
            var tick = new ByteWriter();
            var changed = new ChangedWeights(1, [new("mine", 5)]);
            EventWriter.Write(new UserEvent { Kind = EventKind.Tick, Type = "tick", User = "", TimeMs = ++_now, Context = changed.ToContext() }, tick);
            Append(Topics.Events, default, tick.WrittenSpan.ToArray(), partition);
        }

        /// <summary>A round of records that say nothing: what was done before is learned.</summary>
        public void Pass()
        {
            for (var i = 0; i < 32; i++) Event($$"""{"type":"impression","user":"last","item":"i0","ts":{{++_now}}}""", "last");
        }

        /// <summary>Lets the windows of all slots so far end.</summary>
        public void Wait()
        {
            _now += 2000;
            Event($$"""{"type":"impression","user":"last","item":"i0","ts":{{_now}}}""", "last");
        }

        private void Event(string json, string user) => Append(Topics.Events, user, Encoding.UTF8.GetBytes(json));

        private void Example(string user, int[] order, bool clicked)
        {
            ulong[] slate = [.. order.Select(i => StableHash.Of($"i{i}"))];
            var bytes = new ByteWriter();
            ExampleCodec.Write(
                new Example
                {
                    Source = new LogPosition(0, _now), Ordinal = 0, User = user, ItemKey = slate[0], ShownMs = _now, LabelMs = _now + 5,
                    Label = clicked ? 1 : 0, Propensity = 0.25f, ListVersion = 1, Features = [], Values = [], Slate = slate,
                }, bytes);
            Append(Topics.Examples, user, bytes.WrittenSpan.ToArray());
        }

        private void Append(string topic, string user, byte[] value) => Append(topic, Encoding.UTF8.GetBytes(user), value, PartitionOf(user));

        private void Append(string topic, ReadOnlyMemory<byte> key, byte[] value, int partition) =>
            Log.AppendAsync(topic, new[] { new LogEntry(key, value, _now, partition) }).AsTask().GetAwaiter().GetResult();

        private static int PartitionOf(string user) => (int)(StableHash.Of(user) % 2);
    }

    [Fact]
    public void The_click_rate_of_what_a_ranking_would_have_shown_is_found()
    {
        var scene = new Scene();
        for (var i = 0; i < 3000; i++) scene.Show();
        scene.Wait();
        var found = LogEstimator.Run(scene.Log, Settings, ["item-ctr", "learned"]);
        (found.Slots, found.Users, found.Unmatched, found.Open).ShouldBe((3000, 3000, 0, 0));
        found.Logged.Holds(Rates.Average()).ShouldBeTrue($"{found.Logged}");
        foreach (var model in found.Models)
        {
            // Both know the best item after the first of the users.
            foreach (var (name, estimate) in OffPolicyInterval.Estimators.Zip(model.Estimates))
            {
                (estimate.High - estimate.Low).ShouldBeLessThan(0.15);
                // Twice the interval, so that one draw in thousands fails and not one in twenty.
                estimate.Value.ShouldBe(Rates[0], estimate.High - estimate.Low, $"{model.Model}, {name}");
            }
            model.Agreement.ShouldBe(0.25, 0.03);
            model.Weights.Mean.ShouldBe(1, 0.1);
        }
    }

    [Fact]
    public void A_list_shown_again_counts_once_and_one_whose_clicks_may_still_come_not_at_all()
    {
        var scene = new Scene();
        for (var i = 0; i < 50; i++) scene.Show(times: 3);
        scene.Wait();
        scene.Show(clicks: true);
        var found = LogEstimator.Run(scene.Log, Settings, ["popular"]);
        (found.Slots, found.Users, found.Open).ShouldBe((50, 50, 1));
    }

    [Fact]
    public void A_changed_weight_counts_in_each_partition_from_its_own_tick_on()
    {
        var scene = new Scene();
        var agreed = 0;
        scene.Weigh(partition: 0);
        // The other partition's leader has not told it yet: there these were set aside.
        for (var i = 0; i < 9; i++) scene.Act(partition: 1, item: 3);
        scene.Act(partition: 0, item: 2);
        scene.Pass();
        for (var i = 0; i < 40; i++) agreed += scene.Show(clicks: false) == 2 ? 1 : 0;
        scene.Weigh(partition: 1);
        for (var i = 0; i < 3; i++) scene.Act(partition: 1, item: 1);
        scene.Pass();
        for (var i = 0; i < 40; i++) agreed += scene.Show(clicks: false) == 1 ? 1 : 0;
        scene.Wait();
        // As on Kafka, where records have to be fetched first.
        LogEstimator.Run(new FetchingLog(scene.Log), Settings, ["popular"]).Models.ShouldHaveSingleItem().Agreement.ShouldBe(agreed / 80.0, 1e-9);
    }

    [TorchFact]
    public void A_deep_model_learns_from_the_log_and_is_judged_by_it()
    {
        var scene = new Scene();
        for (var i = 0; i < 600; i++) scene.Show();
        scene.Wait();
        var found = LogEstimator.Run(scene.Log, Settings with { Deep = Settings.Deep with { BatchSizeMax = 32, CanaryExamples = 64 } }, ["din"]);
        found.Models.ShouldHaveSingleItem().Estimates.ShouldAllBe(e => double.IsFinite(e.Value));
    }

    [Fact]
    public void What_cannot_be_estimated_says_why()
    {
        Should.Throw<InvalidDataException>(() => LogEstimator.Run(new Scene().Log, Settings, ["learned"])).Message.ShouldContain("Feeds:SlateShare");
        Should.Throw<FormatException>(() => LogEstimator.Run(new Scene().Log, Settings, ["lerned"])).Message.ShouldContain("learned, item-ctr, popular");
        Should.Throw<FormatException>(() => LogEstimator.Run(new Scene().Log, Settings, ["two_tower"])).Message.ShouldContain("recall channel");
        var open = new Scene();
        open.Show();
        Should.Throw<InvalidDataException>(() => LogEstimator.Run(open.Log, Settings, ["learned"])).Message.ShouldContain("attribution window");
    }
}
