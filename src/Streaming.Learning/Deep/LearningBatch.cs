using Streaming.Core.Examples;
using Streaming.Models.Deep;

namespace Streaming.Learning.Deep;

/// <summary>A mini-batch to learn, with what scoring it needs. Cleared and filled again it allocates nothing.</summary>
/// <param name="historyMax">Past items of a row at most.</param>
/// <param name="denseFeatures">Hashes of the dense features.</param>
public sealed class LearningBatch(int historyMax, params uint[] denseFeatures)
{
    private readonly List<bool> _isScored = [];

    /// <summary>Shape [B].</summary>
    public ExampleBatch Rows { get; } = new(historyMax, denseFeatures);

    public int Count => Rows.Count;

    /// <summary>Event time at which the newest label became known, Unix ms; 0 when empty.</summary>
    public long NewestMs { get; private set; }

    /// <summary>Whether a row's prediction counts: the impression of a correction, or of what follows a label, was scored already.</summary>
    public bool IsScored(int row) => _isScored[row];

    public void Add(Example example)
    {
        Rows.Add(example);
        _isScored.Add(example is { IsCorrection: false, IsFollowUp: false });
        NewestMs = Math.Max(NewestMs, example.LabelMs);
    }

    public void Clear()
    {
        Rows.Clear();
        _isScored.Clear();
        NewestMs = 0;
    }
}
