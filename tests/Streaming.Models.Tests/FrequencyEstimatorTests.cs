using Streaming.Models.Embeddings;

namespace Streaming.Models.Tests;

public sealed class FrequencyEstimatorTests
{
    [Fact]
    public void Intervals_are_averaged_as_in_algorithm_2()
    {
        var estimator = new FrequencyEstimator(new FrequencyOptions(Hashes: 1, Slots: 64, LearningRate: 0.5, InitialInterval: 8));
        estimator.Probability(7).ShouldBe(1f / 8);
        estimator.Observe([7]);
        // The first hit starts the clock.
        estimator.Probability(7).ShouldBe(1f / 8);
        estimator.Observe([]);
        estimator.Observe([7, 7, 7]);
        // Half of 8 and half of an interval of 2; the repeats in the batch are no hits of their own.
        estimator.Probability(7).ShouldBe(1f / 5);
        estimator.Observe([7]);
        estimator.Probability(7).ShouldBe(1f / 3);
        estimator.Steps.ShouldBe(4);
    }

    [Fact]
    public void An_item_born_late_is_not_thought_rare()
    {
        var estimator = new FrequencyEstimator(new FrequencyOptions(LearningRate: 0.1, InitialInterval: 10));
        for (var t = 0; t < 10_000; t++) estimator.Observe([1]);
        for (var t = 0; t < 10; t++) estimator.Observe([2]);
        estimator.Probability(2).ShouldBeGreaterThan(0.1f);
        estimator.Probability(1).ShouldBe(1f, 1e-5f);
    }

    [Fact]
    public void The_estimate_comes_to_the_true_probability()
    {
        var estimator = new FrequencyEstimator(new FrequencyOptions(LearningRate: 0.004));
        var random = new Random(1);
        var present = new List<ulong>();
        for (var t = 0; t < 40_000; t++)
        {
            present.Clear();
            for (var item = 1UL; item <= 20; item++)
                if (random.NextDouble() < item / 40.0) present.Add(item);
            estimator.Observe(present.ToArray());
        }
        for (var item = 1UL; item <= 20; item++) ((double)estimator.Probability(item)).ShouldBe(item / 40.0, 0.15 * item / 40.0);
    }

    [Fact]
    public void The_longest_of_several_intervals_undoes_collisions()
    {
        // 300 items that come every 10th step, in 2048 slots: with one hash one in seven shares its slot and seems twice as frequent.
        double Over(int hashes)
        {
            var estimator = new FrequencyEstimator(new FrequencyOptions(hashes, 2048 / hashes, 0.05, 10));
            for (var t = 0; t < 4000; t++) estimator.Observe([.. Enumerable.Range(0, 300).Where(i => i % 10 == t % 10).Select(i => (ulong)i + 1)]);
            return Enumerable.Range(1, 300).Average(i => estimator.Probability((ulong)i) / 0.1 - 1);
        }
        Over(1).ShouldBeInRange(0.07, 0.25);
        Over(4).ShouldBeLessThan(Over(1) / 2);
    }

    [Fact]
    public void Saved_and_loaded_it_goes_on_alike()
    {
        var options = new FrequencyOptions(Hashes: 2, Slots: 128, LearningRate: 0.1, Seed: 5);
        var (first, second) = (new FrequencyEstimator(options), new FrequencyEstimator(options));
        for (var t = 0UL; t < 500; t++) first.Observe([1 + t % 7, 1 + t % 31]);
        using var saved = new MemoryStream();
        first.Save(saved);
        saved.Position = 0;
        second.Load(saved);
        for (var t = 0UL; t < 50; t++)
        {
            first.Observe([1 + t % 5]);
            second.Observe([1 + t % 5]);
        }
        for (var item = 1UL; item < 50; item++) second.Probability(item).ShouldBe(first.Probability(item));
    }

    [Fact]
    public void A_corrupt_or_foreign_file_is_refused_and_changes_nothing()
    {
        var options = new FrequencyOptions(Hashes: 2, Slots: 16);
        var estimator = new FrequencyEstimator(options);
        for (var t = 0; t < 20; t++) estimator.Observe([1, 2, 3]);
        using var saved = new MemoryStream();
        estimator.Save(saved);
        var bytes = saved.ToArray();
        var fresh = new FrequencyEstimator(options);
        for (var at = 0; at < bytes.Length; at++)
        {
            var broken = (byte[])bytes.Clone();
            broken[at] ^= 0x55;
            Should.Throw<InvalidDataException>(() => fresh.Load(new MemoryStream(broken)), $"byte {at}");
            Should.Throw<InvalidDataException>(() => fresh.Load(new MemoryStream(bytes[..at])), $"cut at {at}");
        }
        fresh.Steps.ShouldBe(0);
        Should.Throw<InvalidDataException>(() => new FrequencyEstimator(options with { Seed = 9 }).Load(new MemoryStream(bytes))).Message.ShouldContain("seed");
    }

    /// <summary>Version 1, packed by Python's struct and a bitwise CRC-32C: it must stay readable, and be written back byte for byte.</summary>
    [Fact]
    public void Version_1_stays_readable()
    {
        var golden = Convert.FromBase64String("AQIAAAADAAAABQAAAAAAAAAJAAAAAAAAAAAAAAAAAAAACQAAAAAAAAAEAAAAAAAAAAcAAAAAAAAAAAAAAAAAAAACAAAAAAAAAAAAyEIAAMA/AAAAQAAAgEAAAMhCAAAgQJSSViE=");
        var estimator = new FrequencyEstimator(new FrequencyOptions(Hashes: 2, Slots: 3, Seed: 5));
        estimator.Load(new MemoryStream(golden));
        estimator.Steps.ShouldBe(9);
        using var back = new MemoryStream();
        estimator.Save(back);
        back.ToArray().ShouldBe(golden);
        // Whatever its slots, the estimate is one over the longer of two of the stored intervals.
        Enumerable.Range(1, 200).Select(i => estimator.Probability((ulong)i)).Distinct().Order().ShouldBe([0.01f, 0.25f, 0.4f]);
    }

    [Fact]
    public void Observing_and_asking_allocate_nothing()
    {
        var estimator = new FrequencyEstimator(new FrequencyOptions(Slots: 1024));
        ulong[] batch = [1, 2, 3, 4];
        estimator.Observe(batch);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var t = 0; t < 1000; t++)
        {
            estimator.Observe(batch);
            estimator.Probability(3);
        }
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }
}
