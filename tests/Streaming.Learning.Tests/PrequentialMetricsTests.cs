using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Streaming.Learning.Metrics;

namespace Streaming.Learning.Tests;

public sealed class PrequentialMetricsTests
{
    [Fact]
    public void Figures_equal_the_hand_worked_case()
    {
        var metrics = new PrequentialMetrics("m", new LearningSettings());
        metrics.Add(1, 0.8f, true);
        metrics.Add(1, 0.4f, false);
        metrics.Add(1, 0.4f, true);
        metrics.Add(2, 0.6f, false);
        metrics.Add(2, 0.2f, true);
        var f = metrics.Figures();
        // Positives .8 .4 .2 against negatives .4 .6: 2 + 1/2 + 0 of 6.
        f.Auc.ShouldBe(2.5 / 6, 1e-12);
        // User 1: (1 + 1/2) / 2 over 3 examples; user 2: 0 over 2.
        f.Gauc.ShouldBe(0.75 * 3 / 5, 1e-12);
        f.Uauc.ShouldBe(0.75 / 2, 1e-12);
        f.UserShare.ShouldBe(1);
        var loss = -(Math.Log(0.8) + Math.Log(0.6) + Math.Log(0.4) + Math.Log(0.4) + Math.Log(0.2)) / 5;
        f.LogLoss.ShouldBe(loss, 1e-6);
        f.NormalisedEntropy.ShouldBe(loss / -(0.6 * Math.Log(0.6) + 0.4 * Math.Log(0.4)), 1e-6);
        f.Calibration.ShouldBe(2.4 / 3, 1e-6);
        f.BaseRate.ShouldBe(0.6);
        // Bins .8: |.8 - 1|, .4: |.8 - 1|, .6: .6, .2: |.2 - 1|.
        f.Ece.ShouldBe((0.2 + 0.2 + 0.6 + 0.8) / 5, 1e-6);
        f.WindowAuc.ShouldBe(f.Auc);
        f.Count.ShouldBe(5);
        f.Positives.ShouldBe(3);
    }

    [Fact]
    public void Window_figures_equal_the_hand_worked_case()
    {
        var metrics = new PrequentialMetrics("m", new LearningSettings { PrequentialWindowMax = 100 });
        for (var i = 0; i < 250; i++) metrics.Add((ulong)i, 0.9f, i % 2 == 0, 3); // which the next hundred push out
        for (var i = 0; i < 25; i++)
        {
            // Negatives were kept at rate 1/2.
            metrics.Add(1, 0.8f, true);
            metrics.Add(1, 0.3f, false, 2);
            metrics.Add(2, 0.6f, false, 2);
            metrics.Add(2, 0.4f, true);
        }
        var f = metrics.Window();
        (f.Model, f.Count).ShouldBe(("m", 100));
        // Positives .8 .4 against negatives .3 .6: 3 of 4. User 1 has all right, user 2 all wrong.
        f.Auc.ShouldBe(0.75, 1e-12);
        f.Gauc.ShouldBe(0.5, 1e-12);
        var loss = -(Math.Log(0.8) + Math.Log(0.4) + 2 * Math.Log(0.7) + 2 * Math.Log(0.4)) / 6;
        f.LogLoss.ShouldBe(loss, 1e-6);
        f.NormalisedEntropy.ShouldBe(loss / -(Math.Log(1 / 3.0) / 3 + 2 * Math.Log(2 / 3.0) / 3), 1e-6);
        f.Calibration.ShouldBe((0.8 + 0.4 + 2 * (0.3 + 0.6)) / 2, 1e-6);
    }

    [Fact]
    public void Scores_that_are_no_probabilities_have_an_order_and_nothing_else()
    {
        var metrics = new PrequentialMetrics("m", new LearningSettings(), areProbabilities: false);
        metrics.Add(1, 7f, true);
        metrics.Add(1, -3f, false);
        var (window, whole) = (metrics.Window(), metrics.Figures());
        (window.Auc, window.Gauc, whole.Auc, whole.Gauc).ShouldBe((1, 1, 1, 1));
        foreach (var undefined in (double[])[window.LogLoss, window.NormalisedEntropy, window.Calibration, whole.LogLoss, whole.NormalisedEntropy, whole.Calibration, whole.Ece])
            double.IsNaN(undefined).ShouldBeTrue();
        new PrequentialMetrics("m", new LearningSettings()).Window().Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Auc_agrees_with_all_pairs_ties_and_negative_scores_included(int seed)
    {
        var random = new Random(seed);
        var metrics = new PrequentialMetrics("m", new LearningSettings());
        var scored = Enumerable.Range(0, 400).Select(_ => (Score: random.Next(-10, 40) / 40f, Positive: random.Next(3) == 0)).ToList();
        foreach (var (score, positive) in scored) metrics.Add(1, score, positive);
        var pairs = from p in scored where p.Positive from n in scored where !n.Positive
                    select p.Score > n.Score ? 1.0 : p.Score == n.Score ? 0.5 : 0.0;
        metrics.Figures().Auc.ShouldBe(pairs.Average(), 1e-12);
    }

    [Fact]
    public void Beyond_the_bound_a_histogram_stands_in_closely()
    {
        var exact = Fed(new LearningSettings(), 0, 20_000, null).Figures();
        var binned = Fed(new LearningSettings { PrequentialExactMax = 5000 }, 0, 20_000, null).Figures();
        exact.AucIsExact.ShouldBeTrue();
        binned.AucIsExact.ShouldBeFalse();
        binned.Auc.ShouldBe(exact.Auc, 0.001);
        binned.LogLoss.ShouldBe(exact.LogLoss);
        binned.Ece.ShouldBe(exact.Ece);
    }

    /// <summary>
    /// Of 2,000 users about an eighth is kept. AUCs of users of ten predictions deviate by about .2, so the mean of 250 of
    /// them has a standard error of about .012; the figure must lie within four of them.
    /// </summary>
    [Fact]
    public void Beyond_the_bound_group_auc_is_of_a_sample_of_users_within_its_sampling_error()
    {
        var settings = new LearningSettings { PrequentialExactMax = 1000, PrequentialUserSampleMax = 4000 };
        var (exact, sampled) = (new PrequentialMetrics("m", new LearningSettings()), new PrequentialMetrics("m", settings));
        var random = new Random(11);
        for (var i = 0; i < 20_000; i++)
        {
            var user = (ulong)random.Next(2000);
            // How well a user is predicted differs between users, or the sample could not go wrong.
            var (p, hard) = (random.NextSingle(), user % 3 == 0);
            var positive = random.NextSingle() < (hard ? 0.5f : p);
            exact.Add(user, p, positive);
            sampled.Add(user, p, positive);
        }
        var (e, s) = (exact.Figures(), sampled.Figures());
        s.UserShare.ShouldBeInRange(1 / 16.0, 1 / 4.0);
        s.Gauc.ShouldBe(e.Gauc, 0.05);
        s.Uauc.ShouldBe(e.Uauc, 0.05);
        s.Auc.ShouldBe(e.Auc, 0.001);
        s.NormalisedEntropy.ShouldBe(e.NormalisedEntropy);
        s.Calibration.ShouldBe(e.Calibration);
    }

    [Fact]
    public void A_checkpoint_brings_the_sample_of_users_back()
    {
        var settings = new LearningSettings { PrequentialExactMax = 1000, PrequentialUserSampleMax = 2000 };
        var metrics = Fed(settings, 0, 5000, null);
        var stream = new MemoryStream();
        var writer = new CheckpointWriter(stream, 1);
        metrics.Save(writer);
        writer.Finish();
        stream.Position = 0;
        var reader = new CheckpointReader(stream, 1, "metrics");
        var read = new PrequentialMetrics("m", settings).Read(reader);
        reader.Finish();
        read.Figures().ShouldBe(metrics.Figures());
        Fed(settings, 5000, 6000, read).Figures().ShouldBe(Fed(settings, 5000, 6000, metrics).Figures());
    }

    [Fact]
    public void One_user_alone_cannot_pass_the_bound_of_the_sample()
    {
        var metrics = new PrequentialMetrics("m", new LearningSettings { PrequentialExactMax = 10, PrequentialUserSampleMax = 100 });
        for (var i = 0; i < 1000; i++) metrics.Add(0, i % 2 == 0 ? 0.9f : 0.1f, i % 2 == 0);
        metrics.Figures().Count.ShouldBe(1000);
    }

    [Fact]
    public void The_window_sees_only_the_last_predictions()
    {
        var metrics = new PrequentialMetrics("m", new LearningSettings { PrequentialWindowMax = 100 });
        for (var i = 0; i < 1000; i++) metrics.Add(1, i % 2 == 0 ? 0.9f : 0.1f, i % 2 != 0);
        for (var i = 0; i < 100; i++) metrics.Add(1, i % 2 == 0 ? 0.9f : 0.1f, i % 2 == 0);
        metrics.Figures().WindowAuc.ShouldBe(1);
        metrics.Figures().Auc.ShouldBeLessThan(0.2);
    }

    [Fact]
    public void Weights_undo_down_sampling_in_rate_and_calibration()
    {
        var metrics = new PrequentialMetrics("m", new LearningSettings());
        metrics.Add(1, 0.2f, true);
        metrics.Add(1, 0.2f, false, weight: 4f);
        metrics.Figures().BaseRate.ShouldBe(0.2, 1e-9);
        metrics.Figures().Calibration.ShouldBe(1, 1e-6);
    }

    [Fact]
    public void Nothing_scored_is_not_a_number_and_does_not_throw() =>
        double.IsNaN(new PrequentialMetrics("m", new LearningSettings()).Figures().Auc).ShouldBeTrue();

    private static PrequentialMetrics Fed(LearningSettings settings, int from, int to, PrequentialMetrics? into)
    {
        into ??= new PrequentialMetrics("m", settings);
        var random = new Random(from);
        for (var i = from; i < to; i++)
        {
            var p = random.NextSingle();
            into.Add((ulong)random.Next(50), p, random.NextSingle() < p);
        }
        return into;
    }
}
