using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Evaluation.DataSets;

namespace Streaming.Evaluation.Ctr;

/// <summary>Rows of the data sets that have shown items with labels, or clicks from which such rows are made.</summary>
internal static class CtrSources
{
    /// <summary>Integers up to here keep their value; above it the square of the logarithm is cut to an integer, as the Criteo challenge's winners did.</summary>
    private const long PlainMax = 2;

    private const int AdHistoryMax = 30, ClickHistoryMax = 20, SideKeysMax = 8;

    private static readonly ulong[][][] NoSteps = [];

    /// <summary>Opens the set that a path stands for.</summary>
    /// <exception cref="DataSetException">It cannot be read, or has no such rows.</exception>
    public static CtrRows Open(string path, CancellationToken cancel) => DataSets.DataSets.Open(path) switch
    {
        Criteo set => OfColumns(set, [.. Enumerable.Range(1, 13).Select(i => $"I{i}"), .. Enumerable.Range(1, 26).Select(i => $"C{i}")], cancel),
        Avazu set => OfColumns(
            set, ["C1", "banner_pos", "site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category", "device_id", "device_ip", "device_model", "device_type",
                "device_conn_type", .. Enumerable.Range(14, 8).Select(i => $"C{i}")], cancel),
        TaobaoAds set => OfTaobaoAds(set, cancel),
        RankLens set => OfRankLens(set, cancel),
        Globo set => GloboRows.Of(set, cancel),
        _ => throw new DataSetException(path, 0, "has no rows of shown items with labels; criteo, avazu, taobao-ads, ranklens and globo have"),
    };

    /// <summary>Impressions of one item each, and whether each was clicked.</summary>
    private static IEnumerable<(UserEvent Shown, bool Clicked)> Shown(IDataSet set, CancellationToken cancel)
    {
        UserEvent? waiting = null;
        foreach (var e in set.Events(1))
        {
            cancel.ThrowIfCancellationRequested();
            if (e.Kind == EventKind.Click)
            {
                // A row's click follows it.
                yield return (waiting!, true);
                waiting = null;
                continue;
            }
            if (waiting is not null) yield return (waiting, false);
            waiting = e;
        }
        if (waiting is not null) yield return (waiting, false);
    }

    /// <summary>A field for each column; a row without a value has none in it.</summary>
    private static CtrRows OfColumns(IDataSet set, string[] columns, CancellationToken cancel)
    {
        var rows = new List<CtrRow>();
        foreach (var (shown, clicked) in Shown(set, cancel))
        {
            var values = shown.Context.ToDictionary(p => p.Key, p => p.Value);
            ulong[][] fields = [.. columns.Select((name, i) => values.TryGetValue(name, out var value) ? [CtrKeys.Of(i, name[0] == 'I' ? Bucket(value) : value)] : (ulong[])[])];
            rows.Add(new CtrRow(StableHash.Of(shown.User), rows.Count, shown.TimeMs, fields, NoSteps, [clicked ? shown.TimeMs : CtrRow.Never]));
        }
        return new CtrRows(set.Name, columns, 1, 0, ["click"], rows);
    }

    /// <summary>A number's bucket.</summary>
    internal static string Bucket(string value)
    {
        if (!double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)) return value;
        if (number > PlainMax) number = Math.Floor(Math.Log(number) * Math.Log(number)) + PlainMax;
        return ((long)number).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Category and brand of the ad, and of the user's actions before, as steps.</summary>
    private static CtrRows OfTaobaoAds(TaobaoAds set, CancellationToken cancel)
    {
        string[] ad = ["adgroup", "campaign", "customer", "price"], profile = ["cms_segid", "cms_group", "gender", "age_level", "pvalue_level", "shopping_level", "occupation", "city_level"];
        string[] names = ["category", "brand", .. ad, .. profile, "pid", "hour", "user"];
        var items = set.Items().ToDictionary(c => c.Id, c => c.Item!);
        var users = set.Profiles().ToDictionary(e => e.User, e => e.Profile!.Attributes.ToDictionary(p => p.Key, p => p.Value));
        var rows = new List<CtrRow>();
        foreach (var (shown, clicked) in Shown(set, cancel))
        {
            var (item, user, context) = (items[shown.Item!], users[shown.User], shown.Context.ToDictionary(p => p.Key, p => p.Value));
            string Attribute(string name) => item.Attributes.FirstOrDefault(a => a.Key == name).Value ?? "";
            var values = new List<string> { item.Categories.FirstOrDefault() ?? "", item.Tags.FirstOrDefault()?["brand:".Length..] ?? "", item.Id, Attribute("campaign"), item.Author ?? "", Bucket(Attribute("price")) };
            values.AddRange(profile.Select(name => user.GetValueOrDefault(name, "")));
            values.AddRange([shown.Surface ?? "", $"{shown.TimeMs / 3_600_000 % 24}", shown.User]);
            ulong[][] fields = [.. values.Select((v, i) => v.Length > 0 ? [CtrKeys.Of(i, v)] : (ulong[])[])];
            rows.Add(new CtrRow(StableHash.Of(shown.User), rows.Count, shown.TimeMs, fields, AdSteps(context), [clicked ? shown.TimeMs : CtrRow.Never]));
        }
        return new CtrRows(set.Name, names, 2, AdHistoryMax, ["click"], rows);
    }

    private static ulong[][][] AdSteps(Dictionary<string, string> context)
    {
        string[] List(string name) => context.GetValueOrDefault(name, "").Split('|', StringSplitOptions.RemoveEmptyEntries);
        var (categories, brands) = (List("tag_category_list"), List("tag_brand_list"));
        return [.. categories.Select((c, i) => (ulong[][])[[CtrKeys.Of(0, c)], i < brands.Length ? [CtrKeys.Of(1, brands[i])] : []]).TakeLast(AdHistoryMax)];
    }

    /// <summary>Every film of a list is a row; the history are the user's clicks whose time is before the list's.</summary>
    private static CtrRows OfRankLens(RankLens set, CancellationToken cancel)
    {
        string[] names = ["item", "genres", "tags", "director", "user"];
        var sides = set.Items().ToDictionary(c => c.Id, c => SidesOf(c.Item!));
        var rows = new List<CtrRow>();
        var places = new Dictionary<(string Request, string Item), int>();
        var clicks = new Dictionary<string, List<(long TimeMs, ulong[][] Step)>>();
        foreach (var e in set.Events(1))
        {
            cancel.ThrowIfCancellationRequested();
            if (!clicks.TryGetValue(e.User, out var own)) clicks[e.User] = own = [];
            if (e.Kind == EventKind.Click)
            {
                own.Add((e.TimeMs, Sides(e.Item!)[..3]));
                // The click's moment is the list's: it is known five seconds after it, and no part of the time is that short.
                if (places.TryGetValue((e.RequestId!, e.Item!), out var at)) rows[at].LabelMs[0] = rows[at].TimeMs;
                continue;
            }
            ulong[][][] steps = [.. own.Where(c => c.TimeMs < e.TimeMs).Select(c => c.Step).TakeLast(ClickHistoryMax)];
            var (user, request) = (StableHash.Of(e.User), rows.Count);
            ulong[] userKey = [CtrKeys.Of(4, user)];
            foreach (var slot in e.Items)
            {
                places[(e.RequestId!, slot.Item)] = rows.Count;
                rows.Add(new CtrRow(user, request, e.TimeMs, [.. Sides(slot.Item), userKey], steps, [CtrRow.Never], slot.Position));
            }
        }
        return new CtrRows(set.Name, names, 3, ClickHistoryMax, ["click"], [.. rows.OrderBy(r => r.TimeMs)]) { PositionsMax = 24 };

        // A few films that are shown are not in the catalogue.
        ulong[][] Sides(string id) => sides.TryGetValue(id, out var known) ? known : sides[id] = SidesOf(new Item(id));

        static ulong[][] SidesOf(Item item) =>
        [
            [CtrKeys.Of(0, item.Id)], [.. item.Categories.Take(SideKeysMax).Select(c => CtrKeys.Of(1, c))], [.. item.Tags.Take(SideKeysMax).Select(t => CtrKeys.Of(2, t))],
            item.Author is { } author ? [CtrKeys.Of(3, author)] : [],
        ];
    }
}
