using Streaming.Evaluation.DataSets;
using Streaming.Models.Offline;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// The sampled protocol of the sequential literature: the last item among 100 uniform negatives of a published file (pickled by
/// jaywonchung/BERT4Rec-VAE-Pytorch's code: user number to item numbers, both counted from 0 over the rising ids). A number
/// beyond the catalogue, which that file holds by an error of one, is left out.
/// </summary>
public sealed class LeaveOneOut100Uniform(bool validation) : LeaveOneOut("leave-one-out-100-uniform",
    "The last interaction of each user in time order is held out and ranked among 100 items that the user has not had, drawn uniformly "
    + "(the published draw): a sampled figure. The model knows everything before it.", validation)
{
    private const int Negatives = 100;
    private const string File = "bert4rec_random-sample_size100-seed98765.pkl";

    public LeaveOneOut100Uniform() : this(false)
    {
    }

    public override LeaveOneOutSplit Split(string path, long seed, CancellationToken cancel = default)
    {
        var loaded = InteractionLoader.Load(path, seed, cancel);
        var all = loaded.All;
        var test = LastRows(all);
        if (Validation) return Without(all, LastRows(all, test), test, DrawNegatives(all, test, Negatives, seed));
        var folder = Path.GetDirectoryName(loaded.Set.Files[0])!;
        var file = DataFiles.Find(path, File) ?? DataFiles.Find(folder, File, "../ml-1m/" + File)
            ?? throw new DataSetException(path, 0, $"needs {File} or {File}.gz, which is not there");
        var candidates = new int[all.UserCount][];
        Array.Fill(candidates, []);
        foreach (var (user, items) in PickledLists.Read(file))
        {
            if (user < 0 || user >= all.UserCount) throw new DataSetException(file, 0, $"user {user} of {all.UserCount}");
            // Numbers are those of the rising ids, as the loader's are.
            candidates[user] = [.. items.Where(item => item >= 0 && item < all.ItemCount)];
        }
        return Without(all, test, null, candidates);
    }
}
