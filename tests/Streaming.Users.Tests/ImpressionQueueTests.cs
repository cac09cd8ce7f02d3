using Streaming.Core.Events;
using Streaming.Core.Feeds;
using Streaming.Core.Log;

namespace Streaming.Users.Tests;

/// <summary>A packed queue is a list of impressions, whatever is added, labelled, settled and taken in which order.</summary>
public sealed class ImpressionQueueTests
{
    private static PendingImpression Draw(Random random, long shownMs, float[] vector, ulong[] history) => new()
    {
        ItemKey = (ulong)random.NextInt64(), ItemId = random.Next(4) == 0 ? $"it\u00e9m {random.Next(100)}" : null, Source = new LogPosition(random.Next(8), random.NextInt64()),
        Ordinal = random.Next(100), ShownMs = shownMs, Position = random.Next(-1, 50), Surface = random.Next(2) == 0 ? "home" : "", Arm = "learned",
        RequestId = random.Next(3) == 0 ? null : $"r{random.Next(5)}", ListVersion = random.NextInt64(), ModelVersion = $"ftrl:{random.Next(3)}",
        Propensity = random.Next(2) == 0 ? float.NaN : random.NextSingle(), Team = (Team)random.Next(3),
        Features = [.. Enumerable.Range(0, random.Next(40)).Select(i => (uint)random.Next())], Values = [], UserVector = vector, History = history,
        HistoryInSession = history.Length / 2, GoalsKnown = (ushort)random.Next(4), GoalsMet = 0, Dense = random.Next(3) == 0 ? [random.NextSingle()] : [],
        // One in a hundred is larger than any block.
        Slate = random.Next(100) == 0 ? [.. Enumerable.Range(0, 2_000).Select(i => (ulong)i)] : [],
    };

    private static PendingImpression WithValues(PendingImpression p, Random random)
    {
        p.Values = [.. p.Features.Select(_ => random.Next(10) == 0 ? random.NextSingle() : 1f)];
        return p;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_is_a_list_in_the_order_shown(int seed)
    {
        var random = new Random(seed);
        var (queue, other) = (new ImpressionQueue(), new ImpressionQueue());
        var (list, others) = (new List<PendingImpression>(), new List<PendingImpression>());
        var (vector, history) = (new float[16], Array.Empty<ulong>());
        for (var step = 0; step < 3_000; step++)
        {
            if (random.Next(5) == 0) (vector, history) = ([.. Enumerable.Range(0, 16).Select(_ => random.NextSingle())], [.. Enumerable.Range(0, random.Next(30)).Select(i => (ulong)i)]);
            switch (random.Next(list.Count > 120 ? 7 : 6))
            {
                case < 3:
                    var added = WithValues(Draw(random, step - random.Next(10) * random.Next(10), vector, history), random);
                    queue.Add(added);
                    list.Insert(list.FindLastIndex(p => p.ShownMs <= added.ShownMs) + 1, added);
                    break;
                case 3 when list.Count > 0:
                    var labelled = random.Next(list.Count);
                    queue.SetLabel(labelled, list[labelled].Label = ImpressionLabel.Negative);
                    break;
                case 4 when list.Count > 0:
                    var settled = random.Next(list.Count);
                    queue.Close(settled);
                    var p = list[settled];
                    (p.Label, p.Features, p.Values, p.UserVector, p.Dense, p.Slate, p.History, p.HistoryInSession) = (ImpressionLabel.Settled, [], [], [], [], [], [], 0);
                    break;
                case 5 or 6 when list.Count > 0:
                    other.AddFrom(queue, 0);
                    queue.RemoveFirst();
                    others.Insert(others.FindLastIndex(o => o.ShownMs <= list[0].ShownMs) + 1, list[0]);
                    list.RemoveAt(0);
                    if (others.Count > 50)
                    {
                        other.RemoveFirst();
                        others.RemoveAt(0);
                    }
                    break;
            }
            if (step % 100 == 0) ShouldBe(queue, list);
        }
        ShouldBe(queue, list);
        ShouldBe(other, others);
        while (queue.Count > 0) queue.RemoveFirst();
        queue.ShouldBeEmpty();
    }

    private static void ShouldBe(ImpressionQueue queue, List<PendingImpression> list)
    {
        queue.Count.ShouldBe(list.Count);
        for (var i = 0; i < list.Count; i++) queue[i].ShouldBeEquivalentTo(list[i], $"at {i}");
        queue.CountOf(ImpressionLabel.Settled).ShouldBe(list.Count(p => p.Label == ImpressionLabel.Settled));
    }

    [Fact]
    public void Impressions_of_one_event_have_their_moment_once()
    {
        var (together, apart) = (new ImpressionQueue(), new ImpressionQueue());
        for (var i = 0; i < 50; i++)
        {
            var random = new Random(i);
            together.Add(WithValues(Draw(random, 1, new float[64], [1, 2, 3]), random));
            random = new Random(i);
            var vector = new float[64];
            vector[0] = i;
            apart.Add(WithValues(Draw(random, 1, vector, [1, 2, 3]), random));
        }
        (apart.ApproxBytes - together.ApproxBytes).ShouldBeGreaterThan(49 * 64 * sizeof(float));
    }

    [Fact]
    public void One_whose_time_is_far_ahead_does_not_keep_the_room_of_those_that_leave_before_it()
    {
        var random = new Random(5);
        PendingImpression[] drawn = [.. Enumerable.Range(0, 100).Select(_ => WithValues(Draw(random, 1, new float[16], []), random)).Where(p => p.Slate.Length == 0)];
        var queue = new ImpressionQueue();
        queue.Add(Draw(random, long.MaxValue, new float[16], []));
        void Pass(int count)
        {
            for (var i = 0; i < count; i++)
            {
                queue.Add(drawn[i % drawn.Length]);
                if (queue.Count > 50) queue.RemoveFirst();
            }
        }
        Pass(1_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Pass(20_000);
        // Six megabytes have passed through.
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(200_000);
    }
}
