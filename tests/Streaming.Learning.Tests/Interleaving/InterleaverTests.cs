using Streaming.Core.Feeds;
using Streaming.Learning.Interleaving;
using Streaming.Suites;

namespace Streaming.Learning.Tests.Interleaving;

/// <summary>What both methods owe, and what each promises beyond.</summary>
public sealed class InterleaverTests
{
    private static readonly int[] Up = [0, 1, 2, 3, 4, 5, 6, 7], Down = [7, 6, 5, 4, 3, 2, 1, 0];

    public static TheoryData<string> Methods => ["team-draft", "probabilistic", "sharp"];

    private static IInterleaver New(string method) => method switch
    {
        "team-draft" => new TeamDraft(), "sharp" => new ProbabilisticInterleave(100), _ => new ProbabilisticInterleave(),
    };

    private static List<DraftedSlot> Fill(IInterleaver interleaver, int[] a, int[] b, ulong draw, int slots = int.MaxValue)
    {
        interleaver.Start(a, b, draw);
        var list = new List<DraftedSlot>();
        while (list.Count < slots && interleaver.Next() is { Item: >= 0 } slot) list.Add(slot);
        return list;
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Every_item_of_either_ranking_comes_once_and_the_same_draw_gives_the_same_list(string method)
    {
        var (one, other) = (New(method), New(method));
        var random = new Random(1);
        for (var n = 0; n < 300; n++)
        {
            var items = Enumerable.Range(0, 12).ToArray();
            random.Shuffle(items);
            int[] a = [.. items.Take(random.Next(9))];
            random.Shuffle(items);
            int[] b = [.. items.Take(random.Next(9))];

            var list = Fill(one, a, b, (ulong)n);

            list.Select(s => s.Item).Order().ShouldBe(a.Union(b).Order());
            one.IsExhausted.ShouldBeTrue();
            one.Next().ShouldBe(one.Next() with { Item = -1 });
            foreach (var slot in list)
            {
                slot.Probability.ShouldBeInRange(double.Epsilon, 1);
                if (slot.Team == Team.A) a.ShouldContain(slot.Item);
                if (slot.Team == Team.B) b.ShouldContain(slot.Item);
            }
            Fill(other, a, b, (ulong)n).ShouldBe(list);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void The_probabilities_of_a_slot_sum_to_1_and_the_drawn_items_is_its_own(string method)
    {
        var interleaver = New(method);
        for (var draw = 0UL; draw < 100; draw++)
        {
            interleaver.Start(Up, [3, 9, 1, 8], draw);
            for (var s = 0; s < 10; s++)
            {
                var before = Enumerable.Range(0, 12).Select(interleaver.ProbabilityOf).ToArray();
                before.Sum().ShouldBe(1, 1e-12);
                if (s == 2)
                {
                    // What something else has put into the list comes no more.
                    var taken = (int)(draw % 10);
                    interleaver.Take(taken);
                    interleaver.ProbabilityOf(taken).ShouldBe(0);
                    continue;
                }
                var slot = interleaver.Next();
                if (slot.Item < 0) break;
                slot.Probability.ShouldBe(before[slot.Item], 1e-15);
            }
        }
    }

    /// <summary>The stated probabilities of whole lists, multiplied over the slots, are how often the lists come.</summary>
    [Theory]
    [InlineData("team-draft")]
    [InlineData("probabilistic")]
    public void What_is_stated_is_what_happens(string method)
    {
        const int draws = 40_000;
        var interleaver = New(method);
        var seen = new Dictionary<string, (int Count, HashSet<double> Stated)>();
        for (var draw = 0UL; draw < draws; draw++)
        {
            interleaver.Start([0, 1, 2, 3], [2, 0, 3, 1], draw);
            var (key, stated) = ("", 1.0);
            for (var s = 0; s < 3; s++)
            {
                var slot = interleaver.Next();
                key += slot.Item;
                stated *= slot.Probability;
            }
            var entry = seen.GetValueOrDefault(key, (0, []));
            entry.Item2.Add(Math.Round(stated, 9));
            seen[key] = (entry.Item1 + 1, entry.Item2);
        }
        foreach (var (key, (count, stated)) in seen)
        {
            // The same items may come by teams of different history (a coin that decides nothing but the team): then only bounds are known.
            var (low, high) = (stated.Min(), method == "team-draft" ? 1 : stated.Max());
            var error = 4 * Math.Sqrt(high * (1 - high) / draws) + 4 * Math.Sqrt(low * (1 - low) / draws);
            ((double)count / draws).ShouldBeInRange(low - error, high + error, key);
        }
        if (method == "probabilistic") seen.Values.Sum(e => e.Stated.Single()).ShouldBe(1, 0.01);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Neither_ranking_has_an_advantage(string method)
    {
        const int lists = 20_000, slots = 6;
        var interleaver = New(method);
        var places = new int[slots, 2];
        for (var draw = 0UL; draw < lists; draw++)
        {
            var list = Fill(interleaver, Up, Down, draw, slots);
            for (var s = 0; s < slots; s++) places[s, list[s].Team == Team.B ? 1 : 0]++;
        }
        // Every place belongs to either team half of the time: within five standard deviations.
        for (var s = 0; s < slots; s++) (places[s, 1] / (double)lists).ShouldBe(0.5, 5 * 0.5 / Math.Sqrt(lists));
    }

    /// <summary>A user who clicks with the same probability whatever stands there prefers nobody; one who wants A's items prefers A.</summary>
    [Theory]
    [InlineData("team-draft")]
    [InlineData("probabilistic")]
    public void Clicks_without_a_preference_make_a_draw_and_clicks_with_one_find_it(string method)
    {
        var interleaver = New(method);
        var random = new Random(3);
        double blind = 0, wins = 0, n = 8000;
        for (var draw = 0UL; draw < n; draw++)
        {
            var list = Fill(interleaver, Up, Down, draw, 4);
            blind += Lead(list, _ => random.Next(3) == 0);
            wins += Math.Sign(Lead(list, item => item < 4));
        }
        (blind / n).ShouldBe(0, 0.06);
        (wins / n).ShouldBeLessThan(-0.5);

        static double Lead(List<DraftedSlot> list, Func<int, bool> clicks) =>
            list.Sum(s => !clicks(s.Item) ? 0 : s.Team == Team.B ? 1.0 : s.Team == Team.A ? -1 : 0);
    }

    [Fact]
    public void Teams_of_a_draft_are_equal_after_every_second_slot_and_pick_their_best()
    {
        var draft = new TeamDraft();
        for (var draw = 0UL; draw < 200; draw++)
        {
            int[] a = [0, 1, 2, 3, 4, 5, 6, 7], b = [2, 0, 5, 1, 7, 6, 4, 3];
            var list = Fill(draft, a, b, draw);
            for (var s = 0; s < list.Count; s++)
            {
                var ranking = list[s].Team == Team.A ? a : b;
                list[s].Item.ShouldBe(ranking.First(i => !list.Take(s).Any(t => t.Item == i)));
                var lead = list.Take(s + 1).Sum(t => t.Team == Team.A ? 1 : -1);
                if (s % 2 == 1)
                {
                    lead.ShouldBe(0);
                    list[s].Probability.ShouldBe(1);
                }
            }
        }
    }

    [Fact]
    public void A_draft_against_itself_is_the_ranking_with_certainty()
    {
        var list = Fill(new TeamDraft(), [3, 1, 0, 2], [3, 1, 0, 2], 5);
        list.Select(s => s.Item).ShouldBe([3, 1, 0, 2]);
        list.ShouldAllBe(s => s.Probability == 1);
        list.Count(s => s.Team == Team.A).ShouldBe(2);
    }

    [Fact]
    public void Where_one_ranking_ends_the_other_fills_for_nobody()
    {
        foreach (var method in (string[])["team-draft", "probabilistic"])
        {
            var list = Fill(New(method), [0], [1, 2, 3, 4], 9);
            list.Count.ShouldBe(5);
            var end = list.FindIndex(s => s.Item == 0);
            list.Skip(end + 1).ShouldAllBe(s => s.Team == Team.None);
            list.Take(end + 1).ShouldAllBe(s => s.Team != Team.None);
        }
    }

    [Fact]
    public void Slots_of_the_probabilistic_method_have_the_papers_distribution()
    {
        const int draws = 20_000;
        var interleave = new ProbabilisticInterleave(3);
        var firsts = new int[8];
        for (var draw = 0UL; draw < draws; draw++)
        {
            var first = Fill(interleave, Up, Down, draw, 1)[0];
            firsts[first.Item]++;
            if (first.Item == 0) first.Probability.ShouldBe((0.83672 + 0.001634) / 2, 1e-4);
        }
        // Hofmann et al. 2011: rank r has 1 / r^3 / sum 1 / r^3; the sum over 8 is 1.19516.
        for (var i = 0; i < 8; i++)
        {
            var expected = (Math.Pow(i + 1, -3) + Math.Pow(8 - i, -3)) / 2 / 1.19516;
            (firsts[i] / (double)draws).ShouldBe(expected, 5 * Math.Sqrt(expected / draws), $"item {i}");
        }
    }

    [Fact]
    public void Fixed_vectors()
    {
        int[] a = [0, 1, 2, 3, 4], b = [4, 0, 2, 1, 3];
        Text(new TeamDraft(), 1).ShouldBe(DraftOf1);
        Text(new TeamDraft(), 2).ShouldBe(DraftOf2);
        Text(new ProbabilisticInterleave(), 1).ShouldBe(ProbabilisticOf1);
        Text(new ProbabilisticInterleave(), 2).ShouldBe(ProbabilisticOf2);

        string Text(IInterleaver interleaver, ulong draw) => string.Join(' ', Fill(interleaver, a, b, draw).Select(s => $"{s.Item}{s.Team}"));
    }

    /// <summary>Computed apart, by a few lines of another language. They never change: by its draws a list can be made again.</summary>
    private const string DraftOf1 = "0A 4B 2B 1A 3A", DraftOf2 = "4B 0A 1A 2B 3B", ProbabilisticOf1 = "0A 4A 1B 3A 2A", ProbabilisticOf2 = "4B 0B 1A 2B 3B";

    [Theory]
    [MemberData(nameof(Methods))]
    public void Nothing_is_allocated_once_warm(string method)
    {
        var interleaver = New(method);
        Allocated.PerCall(() =>
        {
            interleaver.Start(Up, Down, 7);
            while (!interleaver.IsExhausted) interleaver.Next();
        }).ShouldBeLessThan(1);
    }

    [Fact]
    public void A_part_is_how_often_that_ranking_drew_the_item_in_lists_that_are_the_same()
    {
        int[] a = [0, 1, 2, 3], b = [2, 0, 3, 1];
        var lists = Enumerable.Range(0, 40_000).Select(draw => Fill(new ProbabilisticInterleave(1), a, b, (ulong)draw, 3)).ToList();
        var compared = 0;
        foreach (var same in lists.GroupBy(l => string.Join(' ', l.Select(s => s.Item))).Where(g => g.Count() > 500))
            for (var s = 0; s < 3; s++)
            {
                var part = same.Select(l => l[s].ShareA).Distinct().ShouldHaveSingleItem();
                var drawn = (double)same.Count(l => l[s].Team == Team.A) / same.Count();
                drawn.ShouldBe(part, 5 * Math.Sqrt(part * (1 - part) / same.Count()), $"slot {s} of {same.Key}");
                compared++;
            }
        compared.ShouldBeGreaterThan(30);
        Fill(new TeamDraft(), a, b, 1, 4).ShouldAllBe(s => s.ShareA == (s.Team == Team.A ? 1 : 0));
    }
}
