using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Deep;
using Streaming.Models.Deep;

namespace Streaming.Learning.Tests.Deep;

/// <summary>Figures of a model of several tasks, goal by goal.</summary>
public sealed class GoalMetricsTests : IDisposable
{
    private static readonly ushort Like = Goals.Bit(EventKind.Like), Purchase = Goals.Bit(EventKind.Purchase);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_goal_counts_the_records_that_label_it_and_no_corrections()
    {
        using var learner = Learner(() => new TwoGoals());
        Learn(learner, Impressions(0.5f));
        var window = learner.Window();
        (window.Model, window.Count).ShouldBe(("logistic", 2));
        window.Goals.Select(g => (g.Model, g.Count)).ShouldBe([("like", 2), ("purchase", 2)]);
        var (like, purchase) = (window.Goals[0], window.Goals[1]);
        like.Auc.ShouldBe(1);
        // What was down-sampled by half counts twice.
        like.LogLoss.ShouldBe(-(2 * Math.Log(.8) + Math.Log(.6)) / 3, 1e-6);
        like.NormalisedEntropy.ShouldBe(like.LogLoss / -(Math.Log(1 / 3.0) / 3 + 2 * Math.Log(2 / 3.0) / 3), 1e-6);
        like.Calibration.ShouldBe((2 * .2 + .6) / 1, 1e-6);
        double.IsNaN(purchase.Auc).ShouldBeTrue("nothing was bought in time");
        purchase.LogLoss.ShouldBe(-(2 * Math.Log(.9) + Math.Log(.7)) / 3, 1e-6);
        var all = learner.Figures();
        all.Goals.Select(g => (g.Name, g.Count, g.Positives)).ShouldBe([("like", 2, 1), ("purchase", 2, 0)]);
        all.Goals[0].Calibration.ShouldBe(like.Calibration, 1e-6);
        learner.NotFinite.ShouldBe(0);
    }

    [Fact]
    public void A_prediction_that_is_no_number_is_counted_and_not_scored()
    {
        using var learner = Learner(() => new TwoGoals { LikeOfB = float.NaN });
        Learn(learner, Impressions(1));
        learner.NotFinite.ShouldBe(1);
        learner.Window().Goals.Select(g => g.Count).ShouldBe([1, 2]);
    }

    [Fact]
    public void A_model_of_one_task_has_none()
    {
        using var learner = Learner(() => new LogisticModel());
        Learn(learner, Impressions(1));
        (learner.Window().Goals.Count, learner.Figures().Goals.Count).ShouldBe((0, 0));
    }

    [Fact]
    public void They_are_in_checkpoints_and_start_anew_from_one_of_before()
    {
        var settings = DeepRig.DefaultSettings;
        using var first = Rounds(settings, () => new TwoGoals());
        foreach (var example in Impressions(1)) first.OnExample(example);
        first.Finish();
        using var again = Rounds(settings, () => new TwoGoals());
        again.Load(new MemoryStream(Saved(first)));
        again.Figures().Goals.ShouldBe(first.Figures().Goals);
        Saved(again).ShouldBe(Saved(first));

        // A golden file would hold the weights of three copies: these are made of the present version by leaving out what was added.
        using var plain = Rounds(settings, () => new LogisticModel());
        foreach (var example in Impressions(1)) plain.OnExample(example);
        plain.Finish();
        using var later = Rounds(settings, () => new TwoGoals());
        later.Load(new MemoryStream(Older(Saved(plain), 1)));
        later.Learner.Steps.ShouldBe(1);
        later.Figures().Count.ShouldBe(2);
        later.Figures().Goals.Select(g => g.Count).ShouldBe([0, 0]);
        Should.Throw<InvalidDataException>(() => Rounds(settings, () => new LogisticModel()).Load(new MemoryStream(Saved(first)))).Message.ShouldContain("goals");
    }

    [Fact]
    public void A_worker_reads_its_checkpoint_of_before()
    {
        var rig = new DeepRig();
        var folder = _folder.Sub("worker");
        long steps;
        using (var worker = DeepWorker.Open(rig.Parts(folder)))
        {
            for (var i = 0; i < 20; i++) WorkerTests.Turn(rig, worker);
            worker.Checkpoint();
            steps = worker.Learner.Steps;
        }
        foreach (var state in Directory.GetFiles(folder, "state-*.bin")) File.WriteAllBytes(state, Older(File.ReadAllBytes(state), 2));
        using var again = DeepWorker.Open(rig.Parts(folder));
        again.Learner.Steps.ShouldBe(steps);
        rig.Notices.ShouldBeEmpty();
    }

    /// <summary>The file without the number of goals, 0, which stands last, or before another 0, in what it is made of.</summary>
    private static byte[] Older(byte[] file, byte version)
    {
        const int count = 4, crc = 4;
        file[^(count + crc)..^crc].ShouldBe([0, 0, 0, 0]);
        var into = new MemoryStream();
        var writer = new CheckpointWriter(into, version);
        writer.Raw(file.AsSpan(1, file.Length - 1 - count - crc));
        writer.Finish();
        return into.ToArray();
    }

    private static byte[] Saved(RoundLearner rounds)
    {
        var into = new MemoryStream();
        rounds.Save(into);
        return into.ToArray();
    }

    private static RoundLearner Rounds(StreamingSettings settings, Func<IDeepModel> create) =>
        new(create, DeepScores.Probabilities, settings, new ModelReplica(create(), null, 1 << 20));

    private static DeepLearner Learner(Func<IDeepModel> create) =>
        new(create, DeepScores.Probabilities, DeepRig.DefaultSettings.Deep, DeepRig.DefaultSettings.Learning, 1, 1 << 16);

    private static void Learn(DeepLearner learner, IEnumerable<Example> examples)
    {
        var batch = new LearningBatch(0);
        foreach (var example in examples) batch.Add(example);
        learner.Step(batch, Due.Nothing, 1);
    }

    /// <summary>Of "a" nothing came; "b" was acted on, then liked, not bought within its window, and bought later.</summary>
    private static Example[] Impressions(float sampleRate)
    {
        Example Record(string item, int ordinal, float label, int known, int met, float rate = 1, bool follows = false, bool corrects = false) => new()
        {
            Source = new LogPosition(0, ordinal), Ordinal = ordinal, User = "ann", ItemKey = StableHash.Of(item), ShownMs = 1000, LabelMs = 1000 + ordinal, Label = label,
            SampleRate = rate, Features = [], Values = [], GoalsKnown = (ushort)known, GoalsMet = (ushort)met, IsFollowUp = follows, IsCorrection = corrects,
        };
        return
        [
            Record("a", 0, 0, Like | Purchase, 0, sampleRate), Record("b", 1, 1, 0, 0), Record("b", 2, 1, Like, Like, follows: true),
            Record("b", 3, 1, Purchase, 0, follows: true), Record("b", 4, 1, Purchase, Purchase, follows: true, corrects: true),
        ];
    }

    /// <summary>A model of one task, and fixed probabilities of two more.</summary>
    private sealed class TwoGoals : IMultiTaskModel
    {
        private readonly LogisticModel _label = new();
        private readonly float[] _labels = new float[3];

        public float LikeOfB { get; init; } = .6f;

        public IReadOnlyList<EventKind> Goals { get; } = [EventKind.Like, EventKind.Purchase];

        public string Name => _label.Name;

        public DeepWeights Weights => _label.Weights;

        public bool Learns(Example example) => true;

        public void Predict(ExampleBatch batch, Span<float> into) => _label.Predict(batch, into);

        public void PredictGoals(ExampleBatch batch, Span<float> into)
        {
            var first = new float[batch.Count];
            Predict(batch, first);
            for (var row = 0; row < batch.Count; row++)
            {
                var isB = batch.Items[row] == StableHash.Of("b");
                (into[3 * row], into[3 * row + 1], into[3 * row + 2]) = (first[row], isB ? LikeOfB : .2f, isB ? .3f : .1f);
            }
        }

        public ReadOnlySpan<float> LabelsOf(ExampleBatch batch, int row)
        {
            var source = batch.Source(row)!;
            _labels[0] = source.IsFollowUp ? float.NaN : source.Label;
            for (var k = 0; k < 2; k++)
            {
                var bit = Core.Events.Goals.Bit(Goals[k]);
                _labels[k + 1] = (source.GoalsKnown & bit) == 0 ? float.NaN : (source.GoalsMet & bit) != 0 ? 1 : 0;
            }
            return _labels;
        }

        public float Learn(ExampleBatch batch) => _label.Learn(batch);

        public void Save(Stream into) => _label.Save(into);

        public void Load(Stream from) => _label.Load(from);

        public void Dispose() => _label.Dispose();
    }
}
