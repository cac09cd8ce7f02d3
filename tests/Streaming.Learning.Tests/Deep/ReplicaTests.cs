using System.Text;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Learning.Deep;
using Streaming.Models.Deep;

namespace Streaming.Learning.Tests.Deep;

public sealed class ReplicaTests : IDisposable
{
    /// <summary>A delta record of version 1 of the model "m", packed by independent code: epoch 5, base 3, version 9, piece 0 of 2, payload 01 02 03.</summary>
    private const string Golden = "AQECbQoDCZaw9dDAcQACAwECA8hFP5E=";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Three_replicas_of_different_speed_are_bit_equal_at_every_common_version_and_at_the_end()
    {
        var rig = new DeepRig(7);
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        var (speeds, seen) = (new[] { 1, 4, 9 }, new Dictionary<long, string>());
        var replicas = speeds.Select(_ => rig.Replica()).ToList();
        var compared = 0;
        foreach (var replica in replicas) replica.TakenOver = _ => compared += See(replica) ? 1 : 0;
        for (var turn = 1; turn <= 100; turn++)
        {
            WorkerTests.Turn(rig, worker);
            for (var r = 0; r < 3; r++)
            {
                if (turn % speeds[r] != 0) continue;
                replicas[r].Poll();
                replicas[r].Apply(TimeSpan.Zero); // one version at a time
            }
        }
        foreach (var replica in replicas) DeepRig.CatchUp(replica);
        worker.Learner.Promotions.ShouldBeGreaterThan(20);
        compared.ShouldBeGreaterThan(40, "versions seen by a second and a third replica");
        var expected = DeepRig.Predictions((batch, into) => worker.Learner.Serving.Predict(batch, into));
        foreach (var replica in replicas)
        {
            replica.Version.ShouldBe(worker.Learner.Promoted);
            DeepRig.WeightsOf(replica.Model).ShouldBe(DeepRig.WeightsOf(worker.Learner.Serving));
            DeepRig.Predictions((batch, into) => replica.Predict(batch, into)).ShouldBe(expected);
            (replica.Gaps, replica.Corrupt, replica.IsBroken).ShouldBe((0, 0, false));
            replica.Dispose();
        }

        bool See(ModelReplica replica)
        {
            var weights = DeepRig.WeightsOf(replica.Model);
            if (seen.TryAdd(replica.Version, weights)) return false;
            weights.ShouldBe(seen[replica.Version], $"version {replica.Version}");
            return true;
        }
    }

    [Fact]
    public void A_new_replica_starts_from_the_newest_snapshot()
    {
        var rig = new DeepRig();
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        for (var i = 0; i < 100; i++) WorkerTests.Turn(rig, worker);
        using var late = rig.Replica();
        DeepRig.CatchUp(late);
        late.Version.ShouldBe(worker.Learner.Promoted);
        late.Applied.ShouldBeLessThan(worker.Learner.Promotions / 2);
        DeepRig.WeightsOf(late.Model).ShouldBe(DeepRig.WeightsOf(worker.Learner.Serving));
    }

    [Fact]
    public void A_pinned_replica_stays_at_its_version_whatever_comes_after()
    {
        var rig = new DeepRig();
        var learner = new Publisher(rig);
        learner.Publish(UpdateKind.Snapshot);
        learner.Publish(UpdateKind.Delta);
        var (version, weights) = (learner.Version, DeepRig.WeightsOf(learner.Model));
        learner.Publish(UpdateKind.Delta);
        learner.Publish(UpdateKind.Snapshot);
        using var pinned = new ModelReplica(new LogisticModel(), rig.Log, 64 << 20, version);
        DeepRig.CatchUp(pinned);
        (pinned.Version, DeepRig.WeightsOf(pinned.Model)).ShouldBe((version, weights));
        learner.Publish(UpdateKind.Snapshot);
        DeepRig.CatchUp(pinned);
        (pinned.Version, DeepRig.WeightsOf(pinned.Model)).ShouldBe((version, weights));
        // One that was never published ends at the one before it, and so is not what was asked for.
        using var between = new ModelReplica(new LogisticModel(), rig.Log, 64 << 20, version + 1);
        DeepRig.CatchUp(between);
        between.Version.ShouldBe(version);
    }

    [Fact]
    public void After_a_corrupt_record_a_replica_waits_for_the_next_snapshot()
    {
        var rig = new DeepRig();
        var learner = new Publisher(rig);
        using var replica = rig.Replica();
        learner.Publish(UpdateKind.Snapshot);
        learner.Publish(UpdateKind.Delta);
        DeepRig.CatchUp(replica);
        var (version, weights) = (replica.Version, DeepRig.WeightsOf(replica.Model));
        learner.Publish(UpdateKind.Delta, damage: true);
        learner.Publish(UpdateKind.Delta);
        learner.Publish(UpdateKind.Delta);
        DeepRig.CatchUp(replica);
        (replica.Version, replica.Corrupt, replica.Gaps, replica.IsBroken).ShouldBe((version, 1, 2, true));
        DeepRig.WeightsOf(replica.Model).ShouldBe(weights);
        learner.Publish(UpdateKind.Snapshot);
        learner.Publish(UpdateKind.Delta);
        DeepRig.CatchUp(replica);
        (replica.Version, replica.IsBroken).ShouldBe((learner.Version, false));
        DeepRig.WeightsOf(replica.Model).ShouldBe(DeepRig.WeightsOf(learner.Model));
    }

    [Fact]
    public void A_version_that_is_not_whole_is_never_taken_over()
    {
        var rig = new DeepRig();
        var learner = new Publisher(rig);
        using var replica = rig.Replica();
        learner.Publish(UpdateKind.Snapshot);
        DeepRig.CatchUp(replica);
        var weights = DeepRig.WeightsOf(replica.Model);
        // Its writer is killed before the last piece; another one, started again, begins with a snapshot.
        learner.Publish(UpdateKind.Snapshot, leaveOut: 1).ShouldBeGreaterThan(3);
        DeepRig.CatchUp(replica);
        DeepRig.WeightsOf(replica.Model).ShouldBe(weights);
        learner.Publish(UpdateKind.Snapshot);
        DeepRig.CatchUp(replica);
        (replica.Version, replica.Applied, replica.Corrupt).ShouldBe((learner.Version, 2, 0));
        DeepRig.WeightsOf(replica.Model).ShouldBe(DeepRig.WeightsOf(learner.Model));
    }

    [Fact]
    public void Repeats_are_passed_over_and_a_later_epoch_begins_with_its_snapshot()
    {
        var model = new LogisticModel();
        using var replica = new ModelReplica(new LogisticModel(), null, 1);
        replica.Take(Update(UpdateKind.Delta, epoch: 5, from: 0, version: 4)).ShouldBeFalse("what it builds on is of that epoch");
        replica.Take(Update(UpdateKind.Snapshot, epoch: 5, from: 0, version: 4)).ShouldBeTrue();
        replica.Take(Update(UpdateKind.Delta, epoch: 5, from: 4, version: 6)).ShouldBeTrue();
        replica.Take(Update(UpdateKind.Delta, epoch: 5, from: 4, version: 6)).ShouldBeFalse();
        replica.Take(Update(UpdateKind.Snapshot, epoch: 5, from: 0, version: 6)).ShouldBeFalse();
        replica.Take(Update(UpdateKind.Snapshot, epoch: 4, from: 0, version: 60)).ShouldBeFalse();
        replica.Take(Update(UpdateKind.Delta, epoch: 6, from: 6, version: 7)).ShouldBeFalse();
        replica.Take(Update(UpdateKind.Snapshot, epoch: 6, from: 0, version: 2)).ShouldBeTrue();
        (replica.Epoch, replica.Version, replica.Applied, replica.Gaps).ShouldBe((6, 2, 3, 2));

        ModelUpdate Update(UpdateKind kind, long epoch, long from, long version) =>
            new(new UpdateHead("logistic", kind, epoch, from, version, 0, 0, 0), WeightsCodec.All(model.Weights, 1000));
    }

    [Fact]
    public void Version_1_of_a_record_is_still_read()
    {
        var record = Convert.FromBase64String(Golden);
        var head = ModelRecordCodec.Read(record, out var payload);
        head.ShouldBe(new UpdateHead("m", UpdateKind.Delta, 5, 3, 9, 1_950_000_000_011, 0, 2));
        payload.ToArray().ShouldBe([1, 2, 3]);
        var again = new ByteWriter();
        ModelRecordCodec.Write(head, payload, again);
        Convert.ToBase64String(again.WrittenSpan).ShouldBe(Golden);
        for (var at = 0; at < record.Length; at++)
        {
            var bad = (byte[])record.Clone();
            bad[at] ^= 0x20;
            Should.Throw<FormatException>(() => ModelRecordCodec.Read(bad, out _), $"byte {at}");
            Should.Throw<FormatException>(() => ModelRecordCodec.Read(record.AsSpan(0, at), out _), $"cut at {at}");
        }
    }

    [Fact]
    public void Pieces_of_any_length_hold_the_same_weights_and_bad_ones_are_refused()
    {
        var model = Trained(1);
        foreach (var bytesMax in (int[])[120, 500, 1 << 20])
        {
            var pieces = WeightsCodec.All(model.Weights, bytesMax);
            pieces.ShouldAllBe(p => p.Length <= bytesMax);
            var copy = new LogisticModel();
            WeightsCodec.Check(copy.Weights, pieces).ShouldBeTrue();
            WeightsCodec.Apply(copy.Weights, UpdateKind.Snapshot, pieces);
            DeepRig.WeightsOf(copy).ShouldBe(DeepRig.WeightsOf(model));
        }
        var whole = WeightsCodec.All(model.Weights, 1 << 20)[0];
        Should.Throw<FormatException>(() => WeightsCodec.Check(model.Weights, [[9, 0]])).Message.ShouldContain("unknown kind");
        Should.Throw<FormatException>(() => WeightsCodec.Check(model.Weights, [[1, 7]])).Message.ShouldContain("the model has 2");
        Should.Throw<FormatException>(() => WeightsCodec.Check(model.Weights, [whole[..^4]]));
        Should.Throw<FormatException>(() => WeightsCodec.Check(model.Weights, [[2, 0, 1, 1, 0, 0, 0, 0]])).Message.ShouldContain("does not follow");
        Should.Throw<FormatException>(() => WeightsCodec.Check(model.Weights, [[2, 0, 0, 1, 0, 0, 0, 0]])).Message.ShouldContain("cut short");
    }

    private static LogisticModel Trained(int seed)
    {
        var (model, random) = (new LogisticModel(), new Random(seed));
        Learn(model, random);
        return model;
    }

    private static void Learn(LogisticModel model, Random random)
    {
        var batch = new ExampleBatch(0);
        for (var i = 0; i < 100; i++)
            batch.Add((ulong)random.Next(1, 50), (ulong)random.Next(1, 30), [], 0, 1000, 0, label: random.Next(2));
        model.Learn(batch);
    }

    /// <summary>A model that learns a little before every version, publishing in small pieces.</summary>
    private sealed class Publisher
    {
        private readonly DeepRig _rig;
        private readonly Random _random = new(3);
        private long _published;

        public Publisher(DeepRig rig)
        {
            _rig = rig;
            foreach (var (_, table) in Model.Weights.Tables) table.TracksChanges = true;
        }

        public LogisticModel Model { get; } = new();
        public long Version { get; private set; }

        /// <summary>Returns the number of pieces.</summary>
        public int Publish(UpdateKind kind, bool damage = false, int leaveOut = 0)
        {
            Learn(Model, _random);
            Version += 3;
            var chunks = kind == UpdateKind.Snapshot ? WeightsCodec.All(Model.Weights, 300) : WeightsCodec.Delta(Model.Weights, dense: true, 300);
            var from = kind == UpdateKind.Delta ? _published : 0;
            _published = Version;
            foreach (var (_, table) in Model.Weights.Tables) table.ForgetChanges();
            for (var i = 0; i < chunks.Count - leaveOut; i++)
            {
                var record = new ByteWriter();
                ModelRecordCodec.Write(new UpdateHead("logistic", kind, 1, from, Version, 0, i, chunks.Count), chunks[i], record);
                if (damage && i == chunks.Count / 2) record.Written(record.Length / 2, 1)[0] ^= 4;
                var partition = ModelPublisher.PartitionOf("logistic", _rig.Settings.Log.Partitions);
                _rig.Log.AppendAsync(Topics.Models, new[] { new LogEntry(Encoding.UTF8.GetBytes("logistic"), record.WrittenMemory.ToArray(), 0, partition) }).AsTask().Wait();
            }
            return chunks.Count;
        }
    }
}
