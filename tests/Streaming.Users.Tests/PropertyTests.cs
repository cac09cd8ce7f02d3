using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Log;

namespace Streaming.Users.Tests;

public sealed class PropertyTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    [Theory, MemberData(nameof(Seeds))]
    public void Passivation_at_any_point_changes_nothing(int seed)
    {
        var steps = RandomEvents.Make(seed, 400, everyKind: true);
        var straight = Run(steps, null);
        var passivated = Run(steps, new Random(seed));
        passivated.Bytes().ShouldBe(straight.Bytes());
        Everything(passivated).ShouldBe(Everything(straight));
        straight.Effects.Emitted.ShouldBeGreaterThan(100);
    }

    /// <summary>Runs the steps; with a generator, the user is written and read back before about every third, by another machine.</summary>
    private static Bench Run(List<(UserEvent? Event, long TimeMs)> steps, Random? passivation)
    {
        var bench = new Bench(RandomEvents.Settings(tight: true), seed: 5);
        for (var i = 0; i < 12; i++) bench.Models.AddItem($"i{i}");
        var machine = bench.Machine;
        for (var i = 0; i < steps.Count; i++)
        {
            if (passivation?.Next(3) == 0)
            {
                var bytes = bench.Bytes();
                bench.State = UserStateCodec.Read(bytes, Bench.Dimension, "u");
                bench.Bytes().ShouldBe(bytes);
                machine = new UserMachine(bench.Settings, bench.Models, 5);
            }
            var source = new LogPosition(1, i * 16L);
            if (steps[i].Event is not { } e) machine.OnTime(bench.State, steps[i].TimeMs, source, bench.Effects);
            else machine.Handle(bench.State, e, source, bench.Effects);
            if (i % 37 == 0) BuildList(bench.State, i);
        }
        return bench;
    }

    private static void BuildList(UserState state, int i)
    {
        if (state.Lists.Count == 3) state.Lists.RemoveAt(0);
        state.Lists.Add(new ListRef
        {
            Version = ++state.ListVersion % 4, Surface = i % 2 == 0 ? "home" : "mail", Arm = "arm", Models = $"m:{i}",
            Items = [StableHash.Of("i1"), StableHash.Of($"i{i % 12}")], Propensities = [1, 0.25f],
        });
    }

    private static string[] Everything(Bench bench) =>
    [
        .. bench.Effects.Examples.Select(Text), .. bench.Effects.Interactions.Select(x =>
            $"{x.Source}/{x.Ordinal} {x.ItemKey:x} {x.ItemId} {x.Action} {x.Weight:R} {x.TimeMs} {x.Surface} {x.UserActions} {string.Join(',', x.Recent)}"),
        .. bench.Effects.Refreshes.Select(x => x.ToString()), .. bench.Effects.Wakes.Select(x => x.ToString()),
    ];

    private static string Text(Example x) =>
        $"{x.Source}/{x.Ordinal} {x.ItemKey:x} {x.ItemId} {x.ShownMs} {x.LabelMs} {x.Label} {x.Weight:R} {x.SampleRate:R} {x.IsCorrection} {x.Action} " +
        $"{x.Position} {x.Surface} {x.Arm} {x.ListVersion} {x.ModelVersion} {x.Propensity:R} " +
        $"{string.Join(',', x.Features)} {string.Join(',', x.Values)} {string.Join(',', x.UserVector.Select(BitConverter.SingleToInt32Bits))}";

    [Theory, MemberData(nameof(Seeds))]
    public void Labels_equal_an_offline_join_over_the_whole_history(int seed)
    {
        var steps = RandomEvents.Make(seed + 1000, 300, everyKind: false);
        steps.Add((null, Bench.T0 + 10_000_000));
        var bench = new Bench(RandomEvents.Settings(tight: false));
        for (var i = 0; i < steps.Count; i++)
        {
            if (steps[i].Event is not { } e) bench.Machine.OnTime(bench.State, steps[i].TimeMs, new LogPosition(0, i), bench.Effects);
            else bench.Machine.Handle(bench.State, e, new LogPosition(0, i), bench.Effects).ShouldBe(HandleResult.Applied);
        }
        var actual = bench.Effects.Examples.Select(x => $"{x.ItemId} {x.ShownMs} {x.Label} {x.IsCorrection} {x.LabelMs} {x.Action}").Order();
        actual.ShouldBe(OfflineJoin.Examples(steps).Order());
        bench.Effects.Examples.Select(x => (x.Source, x.Ordinal)).Concat(bench.Effects.Interactions.Select(x => (x.Source, x.Ordinal)))
            .GroupBy(x => x).ShouldAllBe(g => g.Count() == 1);
        bench.Effects.Examples.Count(x => x.IsCorrection).ShouldBeGreaterThan(0);
    }
}

/// <summary>
/// The join restated without queues: all impressions are kept for ever, and each action looks over all of them, asking of each
/// whether any step since its arrival had passed its windows.
/// </summary>
internal static class OfflineJoin
{
    private sealed record Shown(string Item, string? Request, long At, int Arrived)
    {
        public bool LeftAsNegative, Done;
    }

    public static List<string> Examples(List<(UserEvent? Event, long TimeMs)> steps)
    {
        var clocks = Clocks(steps);
        var all = new List<Shown>();
        var found = new List<string>();
        for (var j = 0; j < steps.Count; j++)
        {
            foreach (var s in all.Where(s => !s.LeftAsNegative && !s.Done && Passed(clocks, s, j, RandomEvents.Window)))
            {
                s.LeftAsNegative = true;
                found.Add($"{s.Item} {s.At} 0 False {s.At + RandomEvents.Window} Impression");
            }
            if (steps[j].Event is not { } e) continue;
            var reachable = all.Where(s => !Passed(clocks, s, j, RandomEvents.Window + RandomEvents.Late)).ToList();
            if (e.Kind == EventKind.Impression)
            {
                var items = e.Items.Count > 0 ? e.Items.Select(x => x.Item) : [e.Item!];
                foreach (var item in items.Distinct())
                    if (e.RequestId is null || !reachable.Any(s => s.Item == item && s.Request == e.RequestId)) all.Add(new Shown(item, e.RequestId, e.TimeMs, j));
                continue;
            }
            var same = reachable.Where(s => s.Item == e.Item)
                .OrderBy(s => e.RequestId is not null && s.Request == e.RequestId ? 0 : 1)
                .ThenBy(s => Passed(clocks, s, j, RandomEvents.Window) ? 1 : 0)
                .ThenByDescending(s => s.At).ThenByDescending(s => s.Arrived).FirstOrDefault();
            if (e.Kind is EventKind.Dislike or EventKind.Hide)
            {
                if (same is null or { Done: true } or { LeftAsNegative: true }) continue;
                same.LeftAsNegative = true;
                found.Add($"{same.Item} {same.At} 0 False {e.TimeMs} {e.Kind}");
                continue;
            }
            if (e.Kind == EventKind.Dwell && e.Value < 10 || same is { Done: true }) continue;
            if (same is null) all.Add(same = new Shown(e.Item!, e.RequestId, e.TimeMs, j));
            same.Done = true;
            found.Add($"{same.Item} {same.At} 1 {same.LeftAsNegative} {e.TimeMs} {e.Kind}");
        }
        return found;
    }

    /// <summary>How far each step moves time on: an event the user's own largest time, a wake-up its own.</summary>
    private static long[] Clocks(List<(UserEvent? Event, long TimeMs)> steps)
    {
        var largest = 0L;
        return [.. steps.Select(s => s.Event is null ? s.TimeMs : largest = Math.Max(largest, s.TimeMs))];
    }

    private static bool Passed(long[] clocks, Shown s, int until, long afterMs) =>
        Enumerable.Range(s.Arrived + 1, until - s.Arrived).Any(k => clocks[k] >= s.At + afterMs);
}
