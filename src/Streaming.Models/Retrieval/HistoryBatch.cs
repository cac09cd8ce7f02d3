using Streaming.Models.Layers;
using Streaming.Models.Offline;
using TorchSharp;

namespace Streaming.Models.Retrieval;

/// <summary>Histories as a <see cref="RetrievalNetwork"/> reads them; padding stands in front, so that the last item is in the last column.</summary>
/// <param name="Items">Shape [B, L], items from 1, 0 for padding.</param>
/// <param name="Grades">Shape [B, L], what each item was graded, 1 to 5; 0 for padding and where nothing is known.</param>
/// <param name="There">Shape [B, L], 1 where an item is, else 0.</param>
/// <param name="Session">Shape [B, L], 1 for the items of the last session, else 0.</param>
/// <param name="Users">Shape [B], users from 1, 0 for somebody new.</param>
/// <param name="Ages">Shape [B, 1], time from the last item to the end of training, as a share of all training's time; 0 where nothing is known.</param>
public sealed record HistoryBatch(torch.Tensor Items, torch.Tensor Grades, torch.Tensor There, torch.Tensor Session, torch.Tensor Users, torch.Tensor Ages)
{
    /// <summary>B.</summary>
    public long Rows => Items.shape[0];

    /// <summary>L.</summary>
    public long Length => Items.shape[1];

    /// <summary>0 where an item is and so little elsewhere that a softmax gives it nothing; shape [B, L].</summary>
    public static torch.Tensor Mask(torch.Tensor there) => (1 - there) * -1e9;
}

/// <summary>Makes <see cref="HistoryBatch"/>es of what training knows.</summary>
internal sealed class HistoryReader(Interactions train, int lengthMax, long sessionGapMs)
{
    private const int GradeMax = 5;

    private readonly long _first = train.Count == 0 ? 0 : Extreme(train, later: false), _last = train.Count == 0 ? 0 : Extreme(train, later: true);

    /// <param name="queries">Who asks. Times and grades are known of a history that is the beginning of the user's own; others are one session.</param>
    /// <param name="device">Where it is to lie.</param>
    public HistoryBatch Read(ReadOnlySpan<HistoryQuery> queries, torch.Device device)
    {
        var length = 1;
        foreach (var query in queries) length = Math.Max(length, Math.Min(lengthMax, query.History.Length));
        var count = queries.Length;
        var (items, grades, users) = (new long[count * length], new long[count * length], new long[count]);
        var (there, session, ages) = (new float[count * length], new float[count * length], new float[count]);
        for (var row = 0; row < count; row++)
        {
            var (user, history) = (queries[row].User, queries[row].History);
            var rows = user < train.UserCount ? train.HistoryRows(user) : [];
            if (rows.Length > 0) users[row] = user + 1;
            var known = history.Length <= rows.Length && train.History(user)[..history.Length].SequenceEqual(history);
            var open = true;
            for (var back = 1; back <= Math.Min(length, history.Length); back++)
            {
                var (at, place) = ((row + 1) * length - back, history.Length - back);
                (items[at], there[at]) = (history[place] + 1, 1);
                if (known) grades[at] = Math.Clamp((long)train.Values[rows[place]], 1, GradeMax);
                if (known && back > 1) open &= train.TimesMs[rows[place + 1]] - train.TimesMs[rows[place]] <= sessionGapMs;
                session[at] = open ? 1 : 0;
            }
            if (known && history.Length > 0) ages[row] = (float)((_last - train.TimesMs[rows[history.Length - 1]]) / Math.Max(1.0, _last - _first));
        }
        torch.Tensor Floats(float[] values, long columns) => TensorMemory.Tensor(values, [count, columns], device);
        torch.Tensor Numbers(long[] values, params long[] shape) => TensorMemory.Tensor(values, shape, device);
        return new HistoryBatch(Numbers(items, count, length), Numbers(grades, count, length), Floats(there, length), Floats(session, length), Numbers(users, count), Floats(ages, 1));
    }

    private static long Extreme(Interactions train, bool later)
    {
        var found = train.TimesMs[0];
        foreach (var time in train.TimesMs) found = later ? Math.Max(found, time) : Math.Min(found, time);
        return found;
    }
}
