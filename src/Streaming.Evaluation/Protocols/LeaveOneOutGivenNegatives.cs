using System.Globalization;
using System.Text;
using Streaming.Evaluation.DataSets;
using Streaming.Models.Offline;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// The protocol of He et al. 2017, "Neural Collaborative Filtering": the files name each user's latest item and 99 others. Reads
/// NAME.test.rating, NAME.test.negative and, where NCF's item numbers are not the set's ids, ncf_item_map.tsv; NCF's user number is
/// the id less one.
/// </summary>
public sealed class LeaveOneOutGivenNegatives(bool validation) : LeaveOneOut("leave-one-out-given-negatives",
    "The latest interaction of each user, as the NCF files give it, is held out and ranked among the 99 negatives that they give: "
    + "a sampled figure. The model knows all other interactions.", validation)
{
    private const int Negatives = 99;

    public LeaveOneOutGivenNegatives() : this(false)
    {
    }

    public override LeaveOneOutSplit Split(string path, long seed, CancellationToken cancel = default)
    {
        var loaded = InteractionLoader.Load(path, seed, cancel);
        var folder = Path.GetDirectoryName(loaded.Set.Files[0])!;
        string[] near = [path, Path.Combine(folder, "..", "ml-1m"), folder];
        var home = near.FirstOrDefault(at => DataFiles.Find(at, "ncf_ml-1m.test.negative") is not null)
            ?? throw new DataSetException(path, 0, "needs ncf_ml-1m.test.rating and ncf_ml-1m.test.negative, of which the latter is not there");
        var map = ItemMap(DataFiles.Find(home, "ncf_item_map.tsv", "../derived/ncf_item_map.tsv", "derived/ncf_item_map.tsv")
            ?? throw new DataSetException(home, 0, "needs ncf_item_map.tsv there or in ../derived"), loaded);
        var all = loaded.All;
        var test = HeldRows(DataFiles.Need(home, "ncf_ml-1m.test.rating"), loaded, map);
        return Validation
            ? Without(all, LastRows(all, test), test, DrawNegatives(all, test, Negatives, seed))
            : Without(all, test, null, GivenNegatives(DataFiles.Need(home, "ncf_ml-1m.test.negative"), loaded, map));
    }

    /// <summary>NCF's item number to ours.</summary>
    private static int[] ItemMap(string file, LoadedInteractions loaded)
    {
        using var lines = LineReader.Open(file);
        var map = new List<int>();
        var fields = new Range[2];
        while (lines.Next())
        {
            if (lines.Number == 1 && lines.Line.StartsWith("ncf_item"u8)) continue;
            lines.Split((byte)'\t', fields, 2);
            if (lines.Integer(fields[0], "NCF item") != map.Count) throw lines.Error($"expected item {map.Count}");
            map.Add(loaded.ItemOf(Encoding.UTF8.GetString(lines.Line[fields[1]])));
        }
        return [.. map];
    }

    private static int[] HeldRows(string file, LoadedInteractions loaded, int[] map)
    {
        using var lines = LineReader.Open(file);
        var held = new int[loaded.All.UserCount];
        Array.Fill(held, -1);
        var fields = new Range[4];
        while (lines.Next())
        {
            lines.Split((byte)'\t', fields, 2);
            var user = User(lines, lines.Integer(fields[0], "user"), loaded);
            var item = Item(lines, lines.Integer(fields[1], "item"), map);
            var at = loaded.All.History(user).IndexOf(item);
            if (at < 0) throw lines.Error($"user {loaded.Users[user]} has no interaction with item {loaded.Items[item]}");
            held[user] = loaded.All.HistoryRows(user)[at];
        }
        return held;
    }

    private static int[][] GivenNegatives(string file, LoadedInteractions loaded, int[] map)
    {
        using var lines = LineReader.Open(file);
        var negatives = new int[loaded.All.UserCount][];
        Array.Fill(negatives, []);
        while (lines.Next())
        {
            // "(user,item) TAB negative TAB ...".
            var fields = Encoding.UTF8.GetString(lines.Line).Split('\t');
            var comma = fields[0].IndexOf(',');
            if (comma < 2 || fields[0][0] != '(' || !long.TryParse(fields[0].AsSpan(1, comma - 1), CultureInfo.InvariantCulture, out var ncf))
                throw lines.Error("expected (user,item) and its negatives");
            var items = new int[fields.Length - 1];
            for (var i = 0; i < items.Length; i++)
                items[i] = long.TryParse(fields[i + 1], CultureInfo.InvariantCulture, out var number)
                    ? Item(lines, number, map) : throw lines.Error($"negative '{fields[i + 1]}' is no number");
            negatives[User(lines, ncf, loaded)] = items;
        }
        return negatives;
    }

    private static int User(LineReader lines, long ncf, LoadedInteractions loaded)
    {
        var user = loaded.UserOf((ncf + 1).ToString(CultureInfo.InvariantCulture));
        return user >= 0 ? user : throw lines.Error($"NCF user {ncf} is user {ncf + 1}, who is not in the set");
    }

    private static int Item(LineReader lines, long ncf, int[] map) =>
        ncf >= 0 && ncf < map.Length && map[ncf] >= 0 ? map[ncf] : throw lines.Error($"NCF item {ncf} is not in the map or not in the set");
}
