using System.Diagnostics;
using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Wire;
using Streaming.Suites;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Replay;
using Xunit.Abstractions;

namespace Streaming.Evaluation.Tests.DataSets;

/// <summary>The real sets: the counts are those of the data folder's README.</summary>
public sealed class SharedSetTests(ITestOutputHelper output)
{
    private static IDataSet Open(string path) => Evaluation.DataSets.DataSets.Open(SharedData.Find(path)!);

    /// <summary>What holds for every set: unique ids, times in range, and records that the live path reads back unchanged.</summary>
    private static List<UserEvent> Check(IDataSet set, bool sorted = true)
    {
        var events = set.Profiles().Concat(set.Events(1)).ToList();
        events.Select(e => e.EventId).Distinct().Count().ShouldBe(events.Count);
        var bytes = new ByteWriter();
        foreach (var e in events)
        {
            bytes.Clear();
            EventWriter.Write(e, bytes);
            EventParser.TryParse(bytes.WrittenSpan, 0, out var back, out var reason).ShouldBeTrue(reason);
            if (back!.EventId != e.EventId || back.TimeMs != e.TimeMs || back.User != e.User || back.Item != e.Item || back.Items.Count != e.Items.Count)
                back.ShouldBe(e);
        }
        foreach (var change in set.Items())
        {
            bytes.Clear();
            ItemWriter.Write(change, bytes);
            ItemParser.TryParse(bytes.WrittenSpan, 0, out var back, out var reason).ShouldBeTrue(reason);
            back!.Id.ShouldBe(change.Id);
        }
        if (sorted) IsSorted(events).ShouldBeTrue();
        return events;
    }

    private static bool IsSorted(List<UserEvent> events) => !events.Zip(events.Skip(1)).Any(pair => pair.First.TimeMs > pair.Second.TimeMs);

    [DataFact("movielens/ml-100k")]
    public void MovieLens_100k_is_100_000_ratings_by_time_with_its_catalogue_and_users()
    {
        var set = Open("movielens/ml-100k");
        set.RowCount.ShouldBe(100_000);
        var events = Check(set);
        var ratings = events.Where(e => e.Kind == EventKind.Rating).ToList();
        ratings.Count.ShouldBe(100_000);
        ratings.Select(e => e.User).Distinct().Count().ShouldBe(943);
        ratings.Select(e => e.Item).Distinct().Count().ShouldBe(1682);
        ratings.Average(e => e.Value).ShouldBe(3.52986, 1e-9);
        ratings[0].TimeMs.ShouldBe(874_724_710_000);
        events.Count.ShouldBe(100_943);
        events[0].Profile!.Attributes.ShouldBe([new("age", "24"), new("gender", "M"), new("occupation", "technician"), new("zip", "85711")]);

        var items = set.Items().ToDictionary(c => c.Id, c => c.Item!);
        items.Count.ShouldBe(1682);
        var toyStory = items["1"];
        toyStory.Tags.ShouldBe(["Animation", "Children's", "Comedy"]);
        toyStory.Categories.ShouldBe(["Animation"]);
        toyStory.PublishedMs.ShouldBe(788_918_400_000);
        toyStory.Attributes[0].ShouldBe(new("title", "Toy Story (1995)"));
        items["267"].PublishedMs.ShouldBe(0, "it has no release date");
        items.Values.ShouldContain(i => i.Attributes[0].Value.Contains('é'), "titles are Latin-1");
    }

    [DataFact("movielens/ml-1m")]
    public void MovieLens_1M_keeps_each_users_order_whatever_the_seed()
    {
        var set = Open("movielens/ml-1m");
        set.TimeNote.ShouldNotBeNull();
        set.Items().Count().ShouldBe(3883);
        set.Profiles().Count().ShouldBe(6040);
        var one = set.Events(1).ToList();
        one.Count.ShouldBe(1_000_209);
        set.RowCount.ShouldBe(1_000_209);
        IsSorted(one).ShouldBeTrue();
        one.Select(e => e.Item).Distinct().Count().ShouldBe(3706);
        one.Where(e => e.User == "1").Take(3).Select(e => $"{e.Item}:{e.Value}").ShouldBe(["3186:4", "1721:4", "1022:5"]);
        set.Events(1).Take(5000).Select(e => e.EventId).ShouldBe(one.Take(5000).Select(e => e.EventId));
        set.Events(2).Take(5000).Select(e => e.EventId).ShouldNotBe(one.Take(5000).Select(e => e.EventId));
        set.Events(2).Where(e => e.User == "77").Select(e => e.EventId).ShouldBe(one.Where(e => e.User == "77").Select(e => e.EventId));
    }

    [DataFact("ranklens")]
    public void RankLens_is_9_800_lists_of_24_with_46_125_clicks_on_them()
    {
        var set = Open("ranklens");
        set.Items().Count().ShouldBe(2512);
        var events = Check(set);
        var lists = events.Where(e => e.Kind == EventKind.Impression).ToDictionary(e => e.RequestId!);
        lists.Count.ShouldBe(9800);
        lists.Values.ShouldAllBe(e => e.Items.Count == 24 && e.Items[23].Position == 23);
        var clicks = events.Where(e => e.Kind == EventKind.Click).ToList();
        clicks.Count.ShouldBe(46_125);
        clicks.ShouldAllBe(c => lists[c.RequestId!].Items[c.Position].Item == c.Item && lists[c.RequestId!].User == c.User);
        events.Select(e => e.User).Distinct().Count().ShouldBe(2145);
        (clicks.Count(c => c.Position == 0) / 9800.0).ShouldBe(0.248, 0.0005);
        set.RowCount.ShouldBe(55_925);

        var item = set.Items().First().Item!;
        item.Author.ShouldBe("howard deutch");
        item.Categories.ShouldBe(["romance", "comedy"]);
        item.Tags.Count.ShouldBe(10);
        item.PublishedMs.ShouldBe(819_590_400_000);
        item.Attributes.ShouldContain(new KeyValuePair<string, string>("actors", "daryl hannah|ann-margret|sophia loren"));
    }

    [DataFact("globo")]
    public void Globo_is_2_988_181_clicks_in_385_hours_each_in_time_order()
    {
        var set = (Globo)Open("globo");
        var watch = Stopwatch.StartNew();
        var processor = Process.GetCurrentProcess().TotalProcessorTime;
        var bytes = new ByteWriter();
        var counts = new List<int>();
        foreach (var hour in set.Hours())
        {
            var (count, last) = (0, 0L);
            foreach (var e in hour)
            {
                count++;
                if (e.TimeMs < last) throw new InvalidOperationException($"{e.EventId} is out of order");
                last = e.TimeMs;
                bytes.Clear();
                EventWriter.Write(e, bytes);
            }
            counts.Add(count);
        }
        output.WriteLine($"read and serialised {counts.Sum() / watch.Elapsed.TotalSeconds:F0} rows/s, {watch.Elapsed.TotalSeconds:F1} s in all, "
            + $"{(Process.GetCurrentProcess().TotalProcessorTime - processor).TotalSeconds:F1} s of processor time of all tests");
        counts.Count.ShouldBe(385);
        counts.Take(3).ShouldBe([1883, 1415, 910]);
        counts.Sum().ShouldBe(2_988_181);
        set.RowCount.ShouldBe(2_988_181);
    }

    [DataFact("globo")]
    public void Globo_clicks_carry_session_context_and_their_own_time()
    {
        var set = Open("globo");
        var first = set.Events(0).Take(5000).ToList();
        var known = first.Single(e => e.EventId == "globo:1");
        (known.User, known.Item, known.SessionId, known.TimeMs).ShouldBe(("0", "157541", "1506825423271737", 1_506_826_828_020));
        known.Context.Select(c => $"{c.Key}={c.Value}").ShouldBe(
            ["environment=4", "device_group=3", "os=20", "country=1", "region=20", "referrer_type=2"]);
    }

    [DataFact("taobao-behavior")]
    public void Taobao_behaviour_skips_and_counts_the_cut_line()
    {
        var set = Open("taobao-behavior");
        var events = Check(set);
        events.Count.ShouldBe(84_475);
        set.RowCount.ShouldBe(84_475);
        set.SkippedRows.ShouldBe(1);
        int Of(EventKind kind) => events.Count(e => e.Kind == kind);
        (Of(EventKind.Click), Of(EventKind.AddToCart), Of(EventKind.Like), Of(EventKind.Purchase)).ShouldBe((75_872, 4497, 2356, 1750));
        events.Select(e => e.User).Distinct().Count().ShouldBe(815);
        set.Items().Count().ShouldBeInRange(55_367, 55_368);
    }

    [DataFact("ctr")]
    public void The_ctr_samples_have_their_rows_and_base_rates()
    {
        void Base(string file, int rows, double rate)
        {
            var events = Check(Open("ctr/" + file)).Where(e => e.Kind != EventKind.UserUpsert).ToList();
            events.Count(e => e.Kind == EventKind.Impression).ShouldBe(rows);
            (events.Count(e => e.Kind == EventKind.Click) / (double)rows).ShouldBe(rate, 0.00005);
        }
        Base("criteo_first10000.train.tsv.gz", 10_000, .2182);
        Base("avazu-ctr-prediction_train_1w.csv.gz", 9_999, .1706);
        Base("taobao_data_sample_1w.csv.gz", 9_999, .0435);

        var ads = Open("ctr/taobao_data_sample_1w.csv.gz");
        ads.Profiles().Count().ShouldBe(8328);
        ads.Items().Count().ShouldBe(897);
        Open("ctr/criteo_first10000.train.tsv.gz").Events(0).Select(e => e.Item).Distinct().Count().ShouldBeInRange(20, 2000);
        Should.Throw<DataSetException>(() => Open("ctr")).Message.ShouldContain("holds several data sets");
    }

    [DataFact("open-bandit")]
    public void Open_bandit_has_positions_propensities_and_clicks_of_both_policies()
    {
        var set = Open("open-bandit");
        var events = Check(set);
        events.Count(e => e.Kind == EventKind.Impression).ShouldBe(40_000);
        events.Count(e => e.Kind == EventKind.Click).ShouldBe(207);
        set.Items().Count().ShouldBe(34 + 46);
        var shown = events.Where(e => e.Kind == EventKind.Impression).Select(e => e.Items.Single()).ToList();
        shown.ShouldAllBe(s => s.Position >= 0 && s.Position <= 2 && s.Propensity > 0 && s.Propensity <= 1);
        var men = Open("open-bandit/random/men.csv.gz").Events(0).ToList();
        men.Count(e => e.Kind == EventKind.Impression).ShouldBe(10_000);
        men.Where(e => e.Kind == EventKind.Impression).ShouldAllBe(e => Math.Abs(e.Items[0].Propensity - 1f / 34) < 1e-6);
        var clicked = men.Where(e => e.Kind == EventKind.Click).ToList();
        clicked.Count.ShouldBe(46);
        Open("open-bandit/bts").Events(0).Count(e => e.Kind == EventKind.Click).ShouldBe(69 + 46);
    }

    [DataFact("movielens/ml-100k")]
    public void A_replay_goes_on_at_an_index_with_the_same_bytes_and_names_itself()
    {
        var source = new ReplaySource(Open("movielens/ml-100k"), 7);
        var all = source.Records().ToList();
        all.Count.ShouldBe(100_943);
        all[0].Index.ShouldBe(0);
        var rest = new ReplaySource(Open("movielens/ml-100k"), 7).Records(from: 100_000).ToList();
        rest.Count.ShouldBe(943);
        rest[0].Index.ShouldBe(100_000);
        for (var i = 0; i < rest.Count; i++)
        {
            rest[i].Json.Span.SequenceEqual(all[100_000 + i].Json.Span).ShouldBeTrue();
            rest[i].Key.Span.SequenceEqual(all[100_000 + i].Key.Span).ShouldBeTrue();
        }
        source.Fingerprint().ShouldBe(new ReplaySource(Open("movielens/ml-100k"), 7).Fingerprint());
        source.Fingerprint().ShouldNotBe(new ReplaySource(Open("movielens/ml-100k"), 8).Fingerprint());
        source.Fingerprint().ShouldNotBe(new ReplaySource(Open("movielens/ml-1m"), 7).Fingerprint());
    }
}
