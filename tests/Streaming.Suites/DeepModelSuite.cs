using Streaming.Core.Ids;
using Streaming.Models.Deep;
using TorchSharp;

namespace Streaming.Suites;

/// <summary>
/// What every <see cref="IDeepModel"/> promises. A subclass says how to make one: small, so that a step takes about a millisecond,
/// for histories of at most <see cref="HistoryMax"/> items.
/// </summary>
public abstract class DeepModelSuite
{
    protected const int HistoryMax = 6;
    private const int Groups = 6, GroupItems = 12, BatchRows = 64, Steps = 60;
    private static readonly ulong Surface = StableHash.Of("home");

    /// <param name="seed">Of the first weights, and of whatever else is drawn.</param>
    protected abstract IDeepModel Create(long seed);

    /// <summary>The mean loss of the last steps is at most this share of the first steps'.</summary>
    protected virtual double LossFallsTo => 0.8;

    /// <summary>Whether the first weights are drawn: a convex model starts at 0.</summary>
    protected virtual bool DrawsFirstWeights => true;

    /// <summary>Whether it knows a user's taste by their history; else by a row of their own, and knows nothing of new users.</summary>
    protected virtual bool ReadsHistory => true;

    [TorchFact]
    public void Loss_falls_on_planted_data()
    {
        using var model = Create(1);
        var losses = Trained(model, 4 * Steps);
        losses.ShouldAllBe(loss => float.IsFinite(loss));
        losses[^20..].Average().ShouldBeLessThan(losses[..10].Average() * (float)LossFallsTo);
    }

    [TorchFact]
    public void The_planted_taste_is_found()
    {
        using var model = Create(1);
        Trained(model, 4 * Steps);
        // New users too, whose histories alone tell what they like.
        foreach (var firstUser in ReadsHistory ? (int[])[1_000_000, 0] : [0])
        {
            var batch = Planted(99, rows: 400, firstUser: firstUser);
            var scores = Predicted(model, batch);
            var (liked, other) = (new List<float>(), new List<float>());
            for (var i = 0; i < batch.Count; i++) (batch.Labels[i] > 0.5f ? liked : other).Add(scores[i]);
            var wins = liked.Sum(good => other.Count(bad => good > bad) + 0.5 * other.Count(bad => good == bad));
            (wins / (liked.Count * other.Count)).ShouldBeGreaterThan(0.8, $"users from {firstUser}");
        }
    }

    [TorchFact]
    public void Prediction_changes_nothing()
    {
        using var model = Create(1);
        Trained(model, 5);
        var before = Saved(model);
        var batch = Planted(50);
        var scores = Predicted(model, batch);
        Predicted(model, Odd());
        Predicted(model, batch).ShouldBe(scores);
        ShouldEqual(Saved(model), before);
    }

    [TorchFact]
    public void Every_row_gets_a_finite_score_of_its_own()
    {
        using var model = Create(1);
        Predicted(model, Odd()).ShouldAllBe(score => float.IsFinite(score));
        Trained(model, 5);
        var batch = Odd();
        var together = Predicted(model, batch);
        together.ShouldAllBe(score => float.IsFinite(score));
        for (var i = 0; i < batch.Count; i++)
        {
            var alone = new ExampleBatch(HistoryMax);
            Copy(batch, i, alone);
            // The neighbours in the batch do not count; sums of other lengths may round differently.
            Predicted(model, alone)[0].ShouldBe(together[i], 1e-5f, $"row {i}");
        }
    }

    [TorchFact]
    public void Odd_rows_are_learned_without_harm()
    {
        using var model = Create(1);
        for (var step = 0; step < 3; step++) model.Learn(Odd()).ShouldSatisfyAllConditions(loss => float.IsFinite(loss).ShouldBeTrue());
        var one = new ExampleBatch(HistoryMax);
        Copy(Odd(), 0, one);
        float.IsFinite(model.Learn(one)).ShouldBeTrue();
        Predicted(model, Planted(3)).ShouldAllBe(score => float.IsFinite(score));
    }

    [TorchFact]
    public void An_empty_batch_is_nothing()
    {
        using var model = Create(1);
        Trained(model, 2);
        var before = Saved(model);
        model.Predict(new ExampleBatch(HistoryMax), []);
        model.Learn(new ExampleBatch(HistoryMax)).ShouldBe(0f);
        ShouldEqual(Saved(model), before);
    }

    [TorchFact]
    public void The_same_seed_gives_the_same_result()
    {
        using var one = Create(7);
        using var two = Create(7);
        using var other = Create(8);
        foreach (var model in (IDeepModel[])[one, two, other]) Trained(model, 8);
        ShouldBeAlike(one, two);
        var batch = Planted(50);
        if (DrawsFirstWeights) Predicted(one, batch).ShouldNotBe(Predicted(other, batch));
    }

    [TorchFact]
    public void A_loaded_model_predicts_the_same_and_goes_on_bit_exact()
    {
        const int steps = 14;
        using var whole = Create(3);
        Trained(whole, steps);
        var batch = Planted(50);
        foreach (var cut in (int[])[0, 1, 5, 13])
        {
            using var before = Create(3);
            Trained(before, cut);
            // Of the same settings, whose seed new rows come from; it has learned something else, and all of that goes.
            using var after = Create(3);
            Trained(after, 2, 70);
            after.Load(new MemoryStream(Saved(before)));
            Predicted(after, batch).ShouldBe(Predicted(before, batch), $"cut after {cut}");
            Trained(after, steps - cut, cut);
            ShouldBeAlike(after, whole, $"cut after {cut}");
        }
    }

    [TorchFact]
    public void Copied_weights_predict_the_same()
    {
        using var model = Create(3);
        using var replica = Create(4);
        // The replica has rows of its own before, and is written over twice.
        Trained(replica, 2, 70);
        foreach (var steps in (int[])[4, 3])
        {
            Trained(model, steps);
            CopyWeights(model.Weights, replica.Weights);
            foreach (var batch in (ExampleBatch[])[Planted(50), Odd()]) Predicted(replica, batch).ShouldBe(Predicted(model, batch));
        }
    }

    [TorchFact]
    public void Weights_have_names_of_their_own_and_keep_what_is_written()
    {
        using var model = Create(3);
        Trained(model, 2);
        var names = model.Weights.Tables.Select(t => t.Name).Concat(model.Weights.Dense.Select(d => d.Name)).ToArray();
        names.Distinct().Count().ShouldBe(names.Length);
        foreach (var dense in model.Weights.Dense)
        {
            var values = Enumerable.Range(0, dense.Length).Select(i => 0.5f + i % 7).ToArray();
            dense.CopyFrom(values);
            var back = new float[dense.Length];
            dense.CopyTo(back);
            back.ShouldBe(values, dense.Name);
            Should.Throw<ArgumentException>(() => dense.CopyFrom(new float[dense.Length + 1]));
            Should.Throw<ArgumentException>(() => dense.CopyTo(new float[dense.Length + 1]));
        }
    }

    [TorchFact]
    public void A_corrupt_file_leaves_the_model_unchanged()
    {
        using var source = Create(3);
        Trained(source, 3);
        var good = Saved(source);
        using var model = Create(4);
        Trained(model, 2);
        var before = Saved(model);
        void Refused(byte[] bytes, string what)
        {
            Should.Throw<InvalidDataException>(() => model.Load(new MemoryStream(bytes)), what);
            ShouldEqual(Saved(model), before, what);
        }
        Refused([], "empty");
        Refused([255, .. good[1..]], "a newer version");
        for (var i = 1; i <= 16; i++)
        {
            var at = (int)((long)good.Length * i / 17);
            Refused(good[..at], $"cut at {at} of {good.Length}");
            byte[] flipped = [.. good];
            flipped[at] ^= 0x10;
            Refused(flipped, $"byte {at} of {good.Length} flipped");
        }
        Refused(good[..^1], "the last byte missing");
        model.Load(new MemoryStream(good));
        ShouldEqual(Saved(model), good);
    }

    [TorchFact]
    public void A_step_leaves_no_tensor_behind()
    {
        using var model = Create(1);
        Trained(model, 2);
        using var scope = torch.NewDisposeScope();
        Trained(model, 3, 2);
        Predicted(model, Planted(50));
        scope.DisposablesCount.ShouldBe(0);
    }

    [TorchFact]
    public void A_disposed_model_may_be_disposed_again()
    {
        var model = Create(1);
        model.Dispose();
        model.Dispose();
    }

    /// <summary>Learns batches first, first + 1, ...; returns their losses.</summary>
    protected static float[] Trained(IDeepModel model, int steps, int first = 0) =>
        [.. Enumerable.Range(first, steps).Select(step => model.Learn(Planted(step)))];

    protected static float[] Predicted(IDeepModel model, ExampleBatch batch)
    {
        var into = new float[batch.Count];
        model.Predict(batch, into);
        return into;
    }

    protected static byte[] Saved(IDeepModel model)
    {
        var stream = new MemoryStream();
        model.Save(stream);
        return stream.ToArray();
    }

    /// <summary>Without printing both.</summary>
    protected static void ShouldEqual(byte[] found, byte[] expected, string what = "")
    {
        found.Length.ShouldBe(expected.Length, what);
        var same = found.AsSpan().CommonPrefixLength(expected);
        same.ShouldBe(expected.Length, $"{what}: the first byte that differs");
    }

    /// <summary>
    /// Equal in every bit on the CPU. On a CUDA device sums of gradients are taken by atomic additions, in an order that differs from
    /// run to run: there two models that learned the same predict the same within 0.01.
    /// </summary>
    private static void ShouldBeAlike(IDeepModel found, IDeepModel expected, string what = "")
    {
        if (TestDevice.Torch is null) ShouldEqual(Saved(found), Saved(expected), what);
        var batch = Planted(50);
        var (have, want) = (Predicted(found, batch), Predicted(expected, batch));
        if (TestDevice.Torch is null) have.ShouldBe(want, what);
        else have.Zip(want, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(0.01f, what);
    }

    /// <summary>As a replica takes over a snapshot.</summary>
    protected static void CopyWeights(DeepWeights from, DeepWeights to)
    {
        to.Tables.Select(t => t.Name).ShouldBe(from.Tables.Select(t => t.Name));
        to.Dense.Select(d => (d.Name, d.Length)).ShouldBe(from.Dense.Select(d => (d.Name, d.Length)));
        for (var i = 0; i < from.Tables.Count; i++)
        {
            var stream = new MemoryStream();
            from.Tables[i].Table.Save(stream);
            stream.Position = 0;
            to.Tables[i].Table.Load(stream);
        }
        for (var i = 0; i < from.Dense.Count; i++)
        {
            var values = new float[from.Dense[i].Length];
            from.Dense[i].CopyTo(values);
            to.Dense[i].CopyFrom(values);
        }
    }

    /// <summary>Key of an item of a group.</summary>
    protected static ulong ItemOf(int group, int number) => StableHash.Of($"item {group} {number}");

    /// <summary>
    /// Users of six groups, each with the items that they like; a user's past items are all of them. Half of the rows show an item of
    /// the own group, which is liked, half one of another, which is not; one label in twenty is wrong.
    /// </summary>
    protected static ExampleBatch Planted(int seed, int rows = BatchRows, int firstUser = 0)
    {
        var random = new Random(seed);
        var batch = new ExampleBatch(HistoryMax);
        var history = new ulong[HistoryMax];
        for (var row = 0; row < rows; row++)
        {
            var user = random.Next(200);
            var group = user % Groups;
            var liked = random.Next(2) == 0;
            var target = liked ? group : (group + 1 + random.Next(Groups - 1)) % Groups;
            var length = 1 + random.Next(HistoryMax);
            for (var i = 0; i < length; i++) history[i] = ItemOf(group, random.Next(GroupItems));
            var label = liked != (random.Next(20) == 0) ? 1f : 0f;
            batch.Add(
                StableHash.Of($"user {firstUser + user}"), ItemOf(target, random.Next(GroupItems)), history.AsSpan(0, length), random.Next(length + 1),
                1_700_000_000_000 + seed * 60_000L + row, Surface, random.Next(-1, 10), label);
        }
        return batch;
    }

    /// <summary>Rows that stand at the edges: no history, one as long as can be, nothing known at all, far positions, large weights.</summary>
    protected static ExampleBatch Odd()
    {
        var batch = new ExampleBatch(HistoryMax);
        var full = Enumerable.Range(0, HistoryMax + 3).Select(i => ItemOf(i % Groups, i)).ToArray();
        batch.Add(StableHash.Of("user 1"), ItemOf(0, 0), [], 0, 1_700_000_000_000, Surface, 0, 1);
        batch.Add(StableHash.Of("user 2"), ItemOf(1, 1), full, full.Length, 1_700_000_000_000, Surface, 5000, 0, 10);
        batch.Add(StableHash.Of("nobody"), StableHash.Of("no item"), [StableHash.Of("no item"), StableHash.Of("neither")], 1, 0, StableHash.Of("nowhere"), -1, 1);
        batch.Add(0, ItemOf(2, 2), full.AsSpan(0, 1), 0, 1_700_000_000_000, 0, 3);
        return batch;
    }

    private static void Copy(ExampleBatch from, int row, ExampleBatch into) => into.Add(
        from.Users[row], from.Items[row], from.History(row), from.InSession[row], from.ShownMs[row], from.Surfaces[row], from.Positions[row],
        from.Labels[row], from.Weights[row]);
}
