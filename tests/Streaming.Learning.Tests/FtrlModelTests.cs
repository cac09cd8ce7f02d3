using Streaming.Suites;
using Streaming.Core.Ids;
using Streaming.Core.Settings;
using Streaming.Learning.Benchmarks;

namespace Streaming.Learning.Tests;

public sealed class FtrlModelTests
{
    private static readonly LearningSettings Small = new() { FtrlBits = 10, FtrlAlpha = 0.1, FtrlBeta = 1, FtrlL1 = 0, FtrlL2 = 0 };

    [Fact]
    public void Two_updates_equal_the_hand_worked_case()
    {
        var model = new FtrlModel(Small);
        // p = 1/2, g = -1/2, n = 1/4, z = -1/2, w = .5 / ((1 + .5) / .1).
        model.PredictAndLearn([7], [1f], 1f).ShouldBe(0.5f);
        model.Weight(7).ShouldBe(0.0333333f, 1e-6f);
        // g = p - 1 = -.491667, n = .491736, sigma = 2.01239, z = -1.058747.
        model.PredictAndLearn([7], [1f], 1f).ShouldBe(0.508333f, 1e-6f);
        model.Weight(7).ShouldBe(0.0622339f, 1e-6f);
        model.Version.ShouldBe(2);
    }

    [Fact]
    public void L1_keeps_a_weight_at_zero_until_the_evidence_exceeds_it()
    {
        var model = new FtrlModel(Small with { FtrlL1 = 0.6 });
        model.PredictAndLearn([7], [1f], 1f);
        model.Weight(7).ShouldBe(0f);
        model.PredictAndLearn([7], [1f], 1f);
        // z = -1 after two gradients of -1/2, n = 1/2.
        model.Weight(7).ShouldBe(0.4f / ((1f + MathF.Sqrt(0.5f)) / 0.1f), 1e-6f);
    }

    [Fact]
    public void It_follows_the_paper_written_out_in_double()
    {
        var settings = new LearningSettings { FtrlBits = 16, FtrlAlpha = 0.2, FtrlBeta = 0.5, FtrlL1 = 0.3, FtrlL2 = 0.7 };
        var model = new FtrlModel(settings);
        var reference = new Reference(0.2, 0.5, 0.3, 0.7);
        for (var i = 0UL; i < 5000; i++)
        {
            var (features, values) = (new uint[8], new float[8]);
            for (var f = 0UL; f < 8; f++)
            {
                var draw = StableHash.Combine(i, f);
                // Distinct modulo 2^16, with one real-valued feature.
                features[f] = (uint)(f * 64 + draw % 40);
                values[f] = f == 3 ? (float)(2 * StableHash.Unit(draw) - 1) : 1f;
            }
            var label = features[0] % 3 == 0 && values[3] > -0.5f ? 1f : 0f;
            var weight = i % 5 == 0 ? 2f : 1f;
            var expected = reference.Step(features, values, label, weight);
            model.Predict(features, values).ShouldBe((float)expected, 2e-4f);
            model.PredictAndLearn(features, values, label, weight).ShouldBe((float)expected, 2e-4f);
        }
        model.Version.ShouldBe(5000);
    }

    [Fact]
    public void Predicting_changes_nothing()
    {
        var model = Trained(500, 0);
        var before = LearningRig.Bytes(model);
        model.Predict([1, 2, 3], [1f, 2f, 3f]);
        LearningRig.Bytes(model).ShouldBe(before);
    }

    [Fact]
    public void Save_load_continue_equals_never_having_stopped()
    {
        var whole = Trained(1000, 0);
        var half = Trained(500, 0);
        var resumed = new FtrlModel(Small);
        resumed.Load(new MemoryStream(LearningRig.Bytes(half)));
        Train(resumed, 500, 500);
        LearningRig.Bytes(resumed).ShouldBe(LearningRig.Bytes(whole));
        resumed.Version.ShouldBe(1000);
    }

    [Fact]
    public void A_corrupt_checkpoint_is_refused_and_changes_nothing()
    {
        var model = Trained(100, 0);
        var good = LearningRig.Bytes(model);
        foreach (var at in new[] { 0, 1, 9, 100, good.Length - 1 })
        {
            var bad = (byte[])good.Clone();
            bad[at] ^= 0x40;
            Should.Throw<InvalidDataException>(() => model.Load(new MemoryStream(bad)), $"byte {at}");
        }
        Should.Throw<InvalidDataException>(() => model.Load(new MemoryStream(good[..^1])));
        LearningRig.Bytes(model).ShouldBe(good);
    }

    [Fact]
    public void Predictions_on_a_down_sampled_stream_are_calibrated()
    {
        const double keep = 0.1;
        var model = new FtrlModel(new LearningSettings { FtrlBits = 12, FtrlL1 = 0 }, keep);
        double[] planted = [0.02, 0.05, 0.2];
        for (var i = 0UL; i < 200_000; i++)
        {
            var kind = i % 3;
            var positive = StableHash.Unit(StableHash.Combine(i, 1)) < planted[kind];
            if (!positive && StableHash.Unit(StableHash.Combine(i, 2)) >= keep) continue;
            model.PredictAndLearn([100, (uint)kind], [1f, 1f], positive ? 1f : 0f);
        }
        for (var kind = 0u; kind < 3; kind++)
            ((double)model.Predict([100, kind], [1f, 1f])).ShouldBe(planted[kind], 0.15 * planted[kind]);
    }

    [Fact]
    public void Predict_and_learn_allocate_nothing()
    {
        var model = Trained(100, 0);
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 1000; i++) model.PredictAndLearn([1, 2, 3], [1f, 1f, 0.5f], i % 2);
        }).ShouldBe(0);
    }

    [Fact]
    public void The_benchmark_learns_what_it_times()
    {
        var result = FtrlBench.Run(100_000, 20, 1);
        result.ExamplesPerSecond.ShouldBeGreaterThan(0);
        result.LogLoss.ShouldBeLessThan(Math.Log(2));
    }

    private static FtrlModel Trained(int examples, int from)
    {
        var model = new FtrlModel(Small);
        Train(model, examples, from);
        return model;
    }

    private static void Train(FtrlModel model, int examples, int from)
    {
        for (var i = from; i < from + examples; i++)
        {
            var a = (uint)StableHash.Finalise((ulong)i);
            model.PredictAndLearn([a, a % 10, 3], [1f, 1f, 0.3f], a % 10 < 4 ? 1f : 0f);
        }
    }

    /// <summary>Algorithm 1 of the paper, word for word, in double and without hashing.</summary>
    private sealed class Reference(double alpha, double beta, double l1, double l2)
    {
        private readonly Dictionary<uint, (double Z, double N)> _state = [];

        public double Step(uint[] features, float[] values, float label, float weight)
        {
            var w = features.Select(Weight).ToArray();
            var p = 1 / (1 + Math.Exp(-w.Zip(values, (a, b) => a * b).Sum()));
            for (var i = 0; i < features.Length; i++)
            {
                var (z, n) = _state.GetValueOrDefault(features[i]);
                var g = weight * (p - label) * values[i];
                var sigma = (Math.Sqrt(n + g * g) - Math.Sqrt(n)) / alpha;
                _state[features[i]] = (z + g - sigma * w[i], n + g * g);
            }
            return p;
        }

        private double Weight(uint feature)
        {
            var (z, n) = _state.GetValueOrDefault(feature);
            return Math.Abs(z) <= l1 ? 0 : -(z - Math.Sign(z) * l1) / ((beta + Math.Sqrt(n)) / alpha + l2);
        }
    }
}
