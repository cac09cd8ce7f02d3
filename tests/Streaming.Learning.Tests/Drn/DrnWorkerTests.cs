using System.Text;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Deep;
using Streaming.Learning.Drn;
using Streaming.Learning.Tests.Deep;
using Streaming.Suites.Fakes;
using static Streaming.Learning.Tests.Drn.DrnExamples;

namespace Streaming.Learning.Tests.Drn;

/// <summary>DRN on the worker that all deep models have: from the log to versions, killed and gone on.</summary>
public sealed class DrnWorkerTests : IDisposable
{
    private static readonly StreamingSettings Settings = new()
    {
        Log = new LogSettings { Partitions = 2, RecordBytesMax = 1 << 16 },
        Learning = new LearningSettings { PrequentialWindowMax = 500 },
        Deep = new DeepSettings
        {
            Models = ["drn"], Drn = Small, BatchSizeMax = 32, BatchWaitMs = 0, PublishIntervalMs = 100, DenseIntervalMs = 100, SnapshotIntervalMs = 2_000,
            CheckpointIntervalMs = 700, CanaryExamples = 24, CanaryAucTolerance = 1,
        },
        Users = new UsersSettings { AttributionWindowMs = WindowMs },
    };

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Versions_reach_a_copy_that_knows_both_networks()
    {
        var rig = new Rig();
        using var worker = rig.Open(_folder.Sub("worker"));
        for (var turn = 0; turn < 80; turn++) rig.Turn(worker, random: new Random(turn));

        var agent = ((DrnModel)worker.Learner.Model).Agent;
        (agent.ListsAnswered > 100, agent.MinorUpdates > 5, agent.MajorUpdates > 50).ShouldBe((true, true, true));
        worker.Learner.Promotions.ShouldBeGreaterThan(10);
        worker.Learner.Examples.ShouldBe(rig.Made, "examples of other arms are no rows");
        using var replica = new ModelReplica(New(seed: 3), rig.Log, 64 << 20);
        DeepRig.CatchUp(replica);
        replica.Version.ShouldBe(worker.Learner.Promoted);
        DeepRig.WeightsOf(replica.Model).ShouldBe(DeepRig.WeightsOf(worker.Learner.Serving));
        var copy = (DrnModel)replica.Model;
        copy.IsWarm.ShouldBeTrue();
        copy.DrawOf(5, 6).ShouldBe(((DrnModel)worker.Learner.Model).DrawOf(5, 6));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Killed_at_any_point_it_ends_as_one_that_was_left_alone(int seed)
    {
        var (straight, killed, random) = (new Rig(), new Rig(), new Random(seed));
        using var left = straight.Open(_folder.Sub("left"));
        var (points, kills, killAt) = (0, 0, random.Next(1, 60));
        var alone = OpenUntilItStands();
        for (var turn = 0; turn < 70; turn++)
        {
            straight.Turn(left, new Random(turn));
            killed.Append(new Random(turn));
            while (true)
            {
                try
                {
                    DeepRig.Drain(alone);
                    break;
                }
                catch (Killed)
                {
                    alone.Dispose();
                    alone = OpenUntilItStands();
                }
            }
            killed.Time.NowMs += 60;
        }

        kills.ShouldBeGreaterThan(1);
        Convert.ToHexString(Saved(alone.Learner.Model)).ShouldBe(Convert.ToHexString(Saved(left.Learner.Model)), $"seed {seed}");
        DeepRig.WeightsOf(alone.Learner.Serving).ShouldBe(DeepRig.WeightsOf(left.Learner.Serving));
        (alone.Learner.Steps, alone.Learner.Promoted).ShouldBe((left.Learner.Steps, left.Learner.Promoted));
        ((DrnModel)alone.Learner.Model).Agent.MinorUpdates.ShouldBeGreaterThan(0);
        alone.Dispose();

        DeepWorker OpenUntilItStands()
        {
            while (true)
            {
                try
                {
                    return killed.Open(_folder.Sub("killed"), at =>
                    {
                        if (++points < killAt) return;
                        (points, killAt) = (0, random.Next(1, 150));
                        kills++;
                        throw new Killed();
                    });
                }
                catch (Killed)
                {
                    // Again, as a supervisor would.
                }
            }
        }
    }

    private sealed class Killed : Exception;

    /// <summary>A log of lists of 4, some of other arms, whose labels come in the order of their time.</summary>
    private sealed class Rig
    {
        private readonly List<Example> _coming = [];
        private long _atMs = StartMs;
        private int _lists;

        public MemoryEventLog Log { get; } = new(Settings.Log);
        public ManualTime Time { get; } = new();

        /// <summary>Examples of the arm appended.</summary>
        public long Made { get; private set; }

        public DeepWorker Open(string folder, Action<string>? at = null) => DeepWorker.Open(new DeepWorkerParts
        {
            Name = "drn", Scores = DeepScores.Ranking, Settings = Settings, Log = Log, Folder = folder, Time = Time, At = at, Create = _ => New(),
        });

        public void Turn(DeepWorker worker, Random random)
        {
            Append(random);
            DeepRig.Drain(worker);
            Time.NowMs += 60;
        }

        public void Append(Random random)
        {
            for (var n = 0; n < 4; n++)
            {
                var user = random.Next(9);
                Team[] teams = [.. Enumerable.Range(0, 4).Select(_ => (Team)random.Next(1, 3))];
                _coming.AddRange(List($"u{user}", ++_lists, teams, [.. teams.Select(_ => random.Next(4) == 0)], _atMs += 40, partition: user % 2));
            }
            var entries = new List<LogEntry>();
            foreach (var example in _coming.Where(e => e.LabelMs <= _atMs).OrderBy(e => e.LabelMs).ToList())
            {
                _coming.Remove(example);
                var into = new ByteWriter();
                ExampleCodec.Write(example, into);
                entries.Add(new LogEntry(Encoding.UTF8.GetBytes(example.User), into.WrittenMemory.ToArray(), Time.NowMs, example.Source.Partition));
                Made++;
            }
            var foreign = new ByteWriter();
            ExampleCodec.Write(
                new Example { Source = new LogPosition(0, _atMs - StartMs), Ordinal = 99, User = "other", ItemKey = 1, ShownMs = _atMs, LabelMs = _atMs, Label = 0, Arm = "din", Features = [], Values = [] },
                foreign);
            entries.Add(new LogEntry("other"u8.ToArray(), foreign.WrittenMemory.ToArray(), Time.NowMs, 0));
            Log.AppendAsync(Topics.Examples, entries.ToArray()).AsTask().GetAwaiter().GetResult();
        }
    }
}
