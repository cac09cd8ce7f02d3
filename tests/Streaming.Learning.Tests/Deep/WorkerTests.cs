using Streaming.Core.Log;
using Streaming.Learning.Deep;
using Streaming.Suites;
using Streaming.Suites.Fakes;

namespace Streaming.Learning.Tests.Deep;

public sealed class MemoryEventLogContractTests : EventLogSuite
{
    protected override Task<IEventLog> OpenAsync(Core.Settings.LogSettings settings) => Task.FromResult<IEventLog>(new MemoryEventLog(settings));

    protected override Task<IEventLog> ReopenAsync(IEventLog log) => Task.FromResult(log);
}

public sealed class WorkerTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_learns_what_is_planted_and_predicts_first()
    {
        var rig = new DeepRig();
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        for (var i = 0; i < 120; i++) Turn(rig, worker);
        var figures = worker.Learner.Figures();
        figures.Count.ShouldBeInRange(rig.Made * 80 / 100, rig.Made, "interactions and corrections are not scored");
        figures.WindowAuc.ShouldBeGreaterThan(0.7);
        figures.NormalisedEntropy.ShouldBeLessThan(1);
        figures.Calibration.ShouldBe(1, 0.1);
        worker.Repeats.ShouldBeGreaterThan(50);
        worker.Learner.Examples.ShouldBeLessThan(rig.Made);
        worker.Learner.Promotions.ShouldBeGreaterThan(20);
        worker.Learner.Rollbacks.ShouldBe(0, string.Join("\n", worker.Ledger.Last));
        worker.Learner.Promoted.ShouldBeGreaterThan(worker.Learner.Steps - 10);
        worker.LagOffsets().ShouldBe(0);
    }

    [Fact]
    public void A_batch_that_is_not_full_waits_its_time_and_no_longer()
    {
        var settings = DeepRig.DefaultSettings with { Deep = DeepRig.DefaultSettings.Deep with { BatchWaitMs = 200 } };
        var rig = new DeepRig(settings: settings);
        using var worker = DeepWorker.Open(rig.Parts(_folder.Sub("worker")));
        rig.Append(10, repeats: false);
        DeepRig.Drain(worker);
        worker.Learner.Steps.ShouldBe(0);
        rig.Time.NowMs += 199;
        DeepRig.Drain(worker);
        worker.Learner.Steps.ShouldBe(0);
        rig.Time.NowMs++;
        DeepRig.Drain(worker);
        worker.Learner.Steps.ShouldBe(1);
        var first = worker.Learner.Examples;
        first.ShouldBeInRange(6, 10, "some of the ten may be interactions, which are no rows");
        rig.Append(200, repeats: false);
        DeepRig.Drain(worker);
        worker.Learner.Steps.ShouldBeGreaterThan(4);
        worker.Learner.Examples.ShouldBe(first + 32 * (worker.Learner.Steps - 1), "full ones do not wait, and are full");
    }

    /// <summary>All at which the worker lets a crash fall.</summary>
    private static readonly string[] CrashPoints =
    [
        "before the journal", "after the journal", "after learning", "after the ledger", "after publishing", "in a checkpoint, before it counts",
        "after a checkpoint, before its journal", "after a checkpoint",
    ];

    public static TheoryData<string> Points() => [.. CrashPoints];

    [Theory]
    [MemberData(nameof(Points))]
    public void Killed_four_times_at_one_point_it_ends_as_one_that_was_left_alone(string point)
    {
        var random = new Random(point.Length);
        // Few checkpoints are taken, and none is let pass.
        int Wait() => point.Contains("checkpoint", StringComparison.Ordinal) ? 1 : random.Next(1, 4);
        var (kills, wait) = (0, Wait());
        EndsAsOneLeftAlone(point.Length, point, random, at =>
        {
            if (at != point || kills == 4 || --wait > 0) return false;
            wait = Wait();
            kills++;
            return true;
        });
        kills.ShouldBe(4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Killed_at_any_point_it_ends_as_one_that_was_left_alone(int seed)
    {
        // Several kills per run, five runs per seed.
        for (var run = 0; run < 5; run++)
        {
            var random = new Random(seed * 100 + run);
            var (points, kills, killAt) = (0, 0, random.Next(1, 60));
            EndsAsOneLeftAlone(seed * 10 + run, $"seed {seed} run {run}", random, at =>
            {
                at.ShouldBeOneOf(CrashPoints);
                if (++points < killAt) return false;
                (points, killAt) = (0, random.Next(1, 150));
                kills++;
                return true;
            });
            kills.ShouldBeGreaterThan(1);
        }
    }

    /// <summary>Two workers over equal logs, of which one dies wherever it is told to.</summary>
    private void EndsAsOneLeftAlone(int rigSeed, string what, Random random, Func<string, bool> dies)
    {
        var (straight, killed) = (new DeepRig(rigSeed), new DeepRig(rigSeed));
        using var left = DeepWorker.Open(straight.Parts(_folder.Sub($"straight {what}")));
        var name = _folder.Sub($"killed {what}");
        var alone = OpenUntilItStands();
        for (var turn = 0; turn < 40; turn++)
        {
            var count = random.Next(1, 80);
            straight.Append(count);
            killed.Append(count);
            DeepRig.Drain(left);
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
                    Tear(name, random);
                    alone = OpenUntilItStands();
                }
            }
            straight.Time.NowMs = killed.Time.NowMs += random.Next(20, 120);
        }
        killed.Notices.ShouldAllBe(n => n.Contains("is not served"), "nothing but what the canary may say of a first version");
        ShouldBeEqual(alone, left, what);
        // What replicas get is the same too, though not by the same versions.
        using var replica = killed.Replica();
        DeepRig.CatchUp(replica);
        replica.Version.ShouldBe(left.Learner.Promoted);
        DeepRig.WeightsOf(replica.Model).ShouldBe(DeepRig.WeightsOf(left.Learner.Serving));
        (replica.Gaps, replica.Corrupt).ShouldBe((0, 0));
        alone.Dispose();

        DeepWorker OpenUntilItStands()
        {
            while (true)
            {
                try
                {
                    return DeepWorker.Open(killed.Parts(name, at =>
                    {
                        if (dies(at)) throw new Killed();
                    }));
                }
                catch (Killed)
                {
                    Tear(name, random);
                }
            }
        }
    }

    [Fact]
    public void A_damaged_checkpoint_is_passed_over_and_the_one_before_does_it_all_again()
    {
        var rig = new DeepRig();
        var folder = _folder.Sub("worker");
        string expected;
        using (var worker = DeepWorker.Open(rig.Parts(folder)))
        {
            for (var i = 0; i < 40; i++) Turn(rig, worker);
            expected = Convert.ToHexString(DeepRig.StateOf(worker.Learner.Model));
        }
        var newest = Directory.GetFiles(folder, "state-*.bin").Order().Last();
        var bytes = File.ReadAllBytes(newest);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(newest, bytes);
        using (var again = DeepWorker.Open(rig.Parts(folder)))
        {
            Convert.ToHexString(DeepRig.StateOf(again.Learner.Model)).ShouldBe(expected);
            again.Reenacted.ShouldBeGreaterThan(0);
            rig.Notices.ShouldHaveSingleItem().ShouldContain("trying the one before");
            for (var i = 0; i < 10; i++) Turn(rig, again);
        }
        using (var later = DeepWorker.Open(rig.Parts(folder))) later.Learner.Steps.ShouldBeGreaterThan(40);
        foreach (var state in Directory.GetFiles(folder, "state-*.bin")) File.WriteAllBytes(state, [1, 2, 3]);
        Should.Throw<InvalidDataException>(() => DeepWorker.Open(rig.Parts(folder))).Message.ShouldContain("remove the folder");
    }

    [Fact]
    public void A_log_that_refuses_costs_nothing_but_time()
    {
        var rig = new DeepRig();
        var folder = _folder.Sub("worker");
        var worker = DeepWorker.Open(rig.Parts(folder));
        for (var i = 0; i < 10; i++) Turn(rig, worker);
        rig.Log.Appending = topic => throw new EventLogException($"no room for '{topic}'");
        var append = rig.Log.Appending;
        Should.Throw<EventLogException>(() =>
        {
            for (var i = 0; i < 20; i++)
            {
                rig.Log.Appending = null;
                rig.Append(40);
                rig.Log.Appending = append;
                DeepRig.Drain(worker);
                rig.Time.NowMs += 60;
            }
        });
        worker.Dispose();
        rig.Log.Appending = null;
        using var again = DeepWorker.Open(rig.Parts(folder));
        for (var i = 0; i < 10; i++) Turn(rig, again);
        using var replica = rig.Replica();
        DeepRig.CatchUp(replica);
        DeepRig.WeightsOf(replica.Model).ShouldBe(DeepRig.WeightsOf(again.Learner.Serving));
    }

    internal static void Turn(DeepRig rig, DeepWorker worker, bool flipped = false)
    {
        rig.Append(40, flipped);
        DeepRig.Drain(worker);
        rig.Time.NowMs += 60;
    }

    private static void ShouldBeEqual(DeepWorker worker, DeepWorker expected, string what)
    {
        Convert.ToHexString(DeepRig.StateOf(worker.Learner.Model)).ShouldBe(Convert.ToHexString(DeepRig.StateOf(expected.Learner.Model)), what);
        DeepRig.WeightsOf(worker.Learner.Serving).ShouldBe(DeepRig.WeightsOf(expected.Learner.Serving), what);
        worker.Learner.Steps.ShouldBe(expected.Learner.Steps, what);
        worker.Learner.Promoted.ShouldBe(expected.Learner.Promoted, what);
        worker.Learner.Figures().ShouldBe(expected.Learner.Figures(), what);
        worker.Repeats.ShouldBe(expected.Repeats, what);
        worker.Ledger.Last.Select(e => e with { Epoch = 0 }).ShouldBe(expected.Ledger.Last.Select(e => e with { Epoch = 0 }), what);
    }

    /// <summary>What a kill in the middle of a write leaves: the last journal loses some of its last frame, half a checkpoint lies about.</summary>
    private static void Tear(string folder, Random random)
    {
        if (random.Next(2) == 0 && Directory.GetFiles(folder, "steps-*.bin").Order().LastOrDefault() is { } journal)
        {
            using var file = new FileStream(journal, FileMode.Append);
            file.Write(new byte[random.Next(1, 20)]);
        }
        File.WriteAllBytes(Path.Combine(folder, "state-000000000099.bin.next"), [1, 2, 3]);
    }

    private sealed class Killed : Exception;
}
