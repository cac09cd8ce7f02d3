using Streaming.Evaluation.Ctr;
using Streaming.Evaluation.DataSets;
using Streaming.Models.Ranking;

namespace Streaming.Evaluation.Protocols;

/// <summary>
/// Click prediction as papers on rankers judge it, but by time: every ranker of <see cref="Rankers"/> with one task that reads whatever fields there
/// are is trained offline on what came first and predicts what came after. The validation twin splits the training part once more and never looks at the test.
/// </summary>
public sealed class CtrChronological(bool validation) : IProtocol
{
    private readonly Lock _lock = new();
    private (string Path, CtrRows Rows)? _read;

    public CtrChronological() : this(false)
    {
    }

    public string Name => validation ? "ctr-chronological-validation" : "ctr-chronological";

    public string Description => validation
        ? "Validation for tuning: the last 20 % of the requests by time are taken away, and the last 20 % of what is left are the test."
        : "The last 20 % of the requests by time are the test, every shown item a row with its click as label; rankers are trained on the rows before: options and "
          + "passes by the log-loss of the last 10 % of those, which are learned too in the end. No crosses; GAUC is over users with both labels.";

    public IReadOnlyList<string> Models { get; } = [.. Rankers.All.Where(r => r is { IsMultiTask: false, IsOfPairs: false }).Select(r => r.Name)];

    public string? KeepsNoState(string model) => "it is trained with one set of options after the other, minutes each";

    public IReadOnlyList<Figure> Run(EvaluationCase what, CancellationToken cancel)
    {
        what.Check(this);
        var rows = Read(what.DataPath, cancel);
        return Run(rows, CtrSettings.Of(rows.Name), what, cancel);
    }

    /// <summary>As <see cref="Run(EvaluationCase, CancellationToken)"/>, on rows and with options that are given.</summary>
    internal IReadOnlyList<Figure> Run(CtrRows rows, IReadOnlyList<CtrOptions> options, EvaluationCase what, CancellationToken cancel)
    {
        var split = CtrSplit.Of(rows.Rows, validation);
        var training = new CtrTraining(Rankers.Find(what.Model), rows.Shape, split, options, what.Seed, what.Training?.Device);
        training.Fit(what.Progress, what.Note, what.Training?.TimeMax, cancel);
        return CtrFigures.Of(split.Test, [.. split.Test.Select(r => r.Label(0, split.EndMs))], training.Predict(split.Test)[0], "", what.Seed);
    }

    /// <summary>Kept from run to run: seeds and models see the same rows.</summary>
    private CtrRows Read(string path, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (_read is not { } read || read.Path != path) _read = read = (path, CtrSources.Open(path, cancel));
            return read.Rows;
        }
    }
}
