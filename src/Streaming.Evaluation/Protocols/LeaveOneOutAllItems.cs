using Streaming.Models.Offline;

namespace Streaming.Evaluation.Protocols;

/// <summary>The last interaction of each user, ranked over the whole catalogue: the usual protocol of sequential recommendation.</summary>
public sealed class LeaveOneOutAllItems(bool validation) : LeaveOneOut("leave-one-out-all-items",
    "The last interaction of each user in time order is held out and ranked among all items that the user has not had; "
    + "the model knows everything before it.", validation)
{
    public LeaveOneOutAllItems() : this(false)
    {
    }

    /// <summary>The hundred is what retrieval is asked for.</summary>
    protected override IReadOnlyList<int> CutOffs { get; } = [5, 10, 20, 100];

    public override LeaveOneOutSplit Split(string path, long seed, CancellationToken cancel = default)
    {
        var all = InteractionLoader.Load(path, seed, cancel).All;
        var test = LastRows(all);
        return Validation ? Without(all, LastRows(all, test), test, null) : Without(all, test, null, null);
    }
}
