using System.Buffers.Binary;
using Streaming.Core.Ids;
using Streaming.Learning.Deep;

namespace Streaming.Learning.Tests.Deep;

/// <summary>A deleted user's row leaves what learns, what serves, the copies and the files.</summary>
public sealed class ForgettingTests : IDisposable
{
    private const int User = 3;
    private static readonly ulong Key = StableHash.Of($"u{User}");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_row_of_a_deleted_user_leaves_every_copy_and_every_file()
    {
        var rig = new DeepRig();
        var replica = rig.Replica();
        using (var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker"))))
        {
            for (var i = 0; i < 60; i++) Turn(rig, worker);
            DeepRig.CatchUp(replica);
            worker.Learner.HasRow(Key).ShouldBeTrue();
            HasRow(replica).ShouldBeTrue("this test would see nothing");
            FilesHold().ShouldBeTrue("this test would see nothing");
            rig.AppendForgotten(User);
            for (var i = 0; i < 60; i++) Turn(rig, worker, without: User);
            worker.Learner.HasRow(Key).ShouldBeFalse();
            worker.Learner.HasRow(StableHash.Of("u4")).ShouldBeTrue();
            DeepRig.CatchUp(replica);
            HasRow(replica).ShouldBeFalse();
            worker.Checkpoint();
            worker.Checkpoint();
            FilesHold().ShouldBeFalse();
        }
        using var again = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        again.Learner.HasRow(Key).ShouldBeFalse();
    }

    [Fact]
    public void Without_any_further_example_the_row_leaves_what_learns_at_once()
    {
        var rig = new DeepRig();
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        for (var i = 0; i < 60; i++) Turn(rig, worker);
        rig.AppendForgotten(User);
        DeepRig.Drain(worker);
        worker.Learner.Model.Weights.Tables[0].Table.TryGet(Key, out _).ShouldBeFalse();
    }

    [Fact]
    public void Who_comes_back_begins_anew_and_stays()
    {
        var rig = new DeepRig();
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        for (var i = 0; i < 60; i++) Turn(rig, worker);
        rig.AppendForgotten(User);
        // The user is in every turn again, the first one included.
        for (var i = 0; i < 60; i++) Turn(rig, worker);
        worker.Learner.HasRow(Key).ShouldBeTrue();
    }

    [Fact]
    public void Opened_again_after_every_turn_it_ends_as_one_that_was_left_alone()
    {
        var (straight, restarted) = (new DeepRig(7), new DeepRig(7));
        using var left = DeepWorker.Open(straight.Parts(_folder.Sub("straight")));
        for (var turn = 0; turn < 50; turn++)
        {
            foreach (var rig in new[] { straight, restarted })
                if (turn is 20 or 30) rig.AppendForgotten(turn - 17);
            Turn(straight, left, without: User);
            using var one = DeepWorker.Open(restarted.Parts(_folder.Sub("restarted")));
            Turn(restarted, one, without: User);
            DeepRig.WeightsOf(one.Learner.Model).ShouldBe(DeepRig.WeightsOf(left.Learner.Model), $"turn {turn}");
        }
        left.Learner.HasRow(Key).ShouldBeFalse();
    }

    private static void Turn(DeepRig rig, DeepWorker worker, int without = -1)
    {
        rig.Append(40, without: without);
        rig.Time.NowMs += 100;
        DeepRig.Drain(worker);
    }

    private static bool HasRow(ModelReplica replica) => replica.Model.Weights.Tables[0].Table.TryGet(Key, out _);

    private bool FilesHold()
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Key);
        return Directory.EnumerateFiles(_folder.Sub("worker"), "state-*.bin").Any(path => File.ReadAllBytes(path).AsSpan().IndexOf(bytes) >= 0);
    }
}
