using Streaming.Core.Items;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;

namespace Streaming.Models.Deep;

public sealed partial class TwoTower
{
    /// <summary>Working memory of one thread's vectors: many threads ask at once.</summary>
    private sealed class Scratch
    {
        [ThreadStatic] private static Scratch? _mine;

        private float[] _memory = [];

        public static Span<float> Mine(int length)
        {
            var mine = _mine ??= new Scratch();
            if (mine._memory.Length < length) mine._memory = new float[length];
            return mine._memory.AsSpan(0, length);
        }
    }

    /// <summary>Scores are (1 + cosine) / 2, in [0, 1]: they order items, and are no probability.</summary>
    public void Predict(ExampleBatch batch, Span<float> into)
    {
        if (into.Length != batch.Count) throw new ArgumentException($"{batch.Count} rows, and a place for {into.Length}");
        Span<float> user = stackalloc float[_options.VectorDim], item = stackalloc float[_options.VectorDim];
        for (var row = 0; row < batch.Count; row++)
        {
            UserVector(batch.Users[row], batch.History(row), batch.InSession[row], user);
            ItemVector(batch.Items[row], item);
            into[row] = 0.5f + 0.5f * VectorMath.Dot(user, item);
        }
    }

    /// <summary>U(x), of length 1; zeros where nothing is known of the user and nothing was learned yet. Allocates nothing once the thread is warm.</summary>
    /// <param name="user">Key of the user; counts only where users have rows of their own.</param>
    /// <param name="history">Keys of the user's past positive items, newest first.</param>
    /// <param name="inSession">How many of them, from the start, belong to the open session.</param>
    /// <param name="into">Shape [<see cref="VectorDim"/>].</param>
    public void UserVector(ulong user, ReadOnlySpan<ulong> history, int inSession, Span<float> into)
    {
        if (history.Length > _options.HistoryMax) history = history[.._options.HistoryMax];
        var (columns, width) = (ItemColumns, PlainForward.WidthMax(_userTower));
        var memory = Scratch.Mine(UserColumns + columns + 2 * _options.HistoryMax + 2 * width);
        var input = memory[..UserColumns];
        var item = memory.Slice(UserColumns, columns);
        var pooling = memory.Slice(UserColumns + columns, 2 * history.Length);
        input.Clear();
        Pooling(history.Length, inSession, pooling);
        for (var k = 0; k < history.Length; k++)
        {
            ItemInput(history[k], item);
            VectorMath.AddScaled(input[..columns], pooling[k], item);
            if (pooling[history.Length + k] > 0) VectorMath.AddScaled(input.Slice(columns, columns), pooling[history.Length + k], item);
        }
        if (_options.UserRows && _tables[2].TryGet(user, out var row)) row.CopyTo(input[(2 * columns)..]);
        PlainForward.Run(_userTower, input, into, memory[^(2 * width)..]);
        Normalise(into);
    }

    /// <summary>V(y), of length 1, for any item, also one that nobody has acted on. Allocates nothing once the thread is warm.</summary>
    /// <param name="item">Key of the item.</param>
    /// <param name="into">Shape [<see cref="VectorDim"/>].</param>
    public void ItemVector(ulong item, Span<float> into)
    {
        var width = PlainForward.WidthMax(_itemTower);
        var memory = Scratch.Mine(ItemColumns + 2 * width);
        ItemInput(item, memory[..ItemColumns]);
        PlainForward.Run(_itemTower, memory[..ItemColumns], into, memory[^(2 * width)..]);
        Normalise(into);
    }

    /// <summary>Whether anything is known of the item: a row of its own, or a row of any of its side information. All others share one vector.</summary>
    public bool Knows(ulong item)
    {
        if (_tables[0].TryGet(item, out _)) return true;
        if (!_catalog.TryGet(item, out var known)) return false;
        foreach (var key in known.CategoryKeys)
            if (_tables[1].TryGet(key, out _)) return true;
        foreach (var key in known.TagKeys)
            if (_tables[1].TryGet(key, out _)) return true;
        return _tables[1].TryGet(known.AuthorKey, out _);
    }

    /// <summary>As <see cref="ItemLookup"/> makes it: the item's own row, then the mean of its side rows, zeros for what has no row.</summary>
    private void ItemInput(ulong item, Span<float> into)
    {
        into.Clear();
        if (_tables[0].TryGet(item, out var own)) own.CopyTo(into);
        if (!_catalog.TryGet(item, out var known)) return;
        var sides = into[_options.Dim..];
        var count = 0;
        foreach (var key in known.CategoryKeys) Add(key, ref count, sides);
        Add(known.AuthorKey, ref count, sides);
        foreach (var key in known.TagKeys) Add(key, ref count, sides);
        if (count == 0) return;
        foreach (ref var value in sides) value /= count;
    }

    private void Add(ulong key, ref int count, Span<float> sides)
    {
        if (key == 0 || count >= _options.SideKeysMax) return;
        count++;
        if (_tables[1].TryGet(key, out var row)) VectorMath.AddScaled(sides, 1, row);
    }

    /// <summary>As torch.nn.functional.normalize: divided by its length, or by 1e-12 if that is larger.</summary>
    private static void Normalise(Span<float> vector)
    {
        var length = Math.Max(1e-12f, MathF.Sqrt(VectorMath.Dot(vector, vector)));
        foreach (ref var value in vector) value /= length;
    }
}
