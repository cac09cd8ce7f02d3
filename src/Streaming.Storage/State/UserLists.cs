using Streaming.Core.Wire;

namespace Streaming.Storage.State;

/// <summary>
/// All lists of one user as one value, so that forgetting the user is one delete. Stored form: version byte, count, then surface,
/// arm and the list as it is stored, each with its length; the list put last is last.
/// </summary>
internal static class UserLists
{
    private const byte Version = 1;

    /// <summary>Finds the list of a surface and arm (UTF-8).</summary>
    /// <exception cref="FormatException">The stored form is damaged.</exception>
    public static bool TryFind(ReadOnlySpan<byte> lists, ReadOnlySpan<byte> surface, ReadOnlySpan<byte> arm, out ReadOnlySpan<byte> list)
    {
        var reader = new ByteReader(lists);
        reader.Version(Version, "a user's lists");
        for (var count = reader.Count(3); count > 0; count--)
        {
            var matches = reader.Bytes().SequenceEqual(surface);
            matches &= reader.Bytes().SequenceEqual(arm);
            list = reader.Bytes();
            if (matches) return true;
        }
        list = default;
        return false;
    }

    /// <summary>
    /// Writes the lists of <paramref name="before"/> (empty: none) with one of them replaced or added. The ones put longest ago are
    /// left out where there are more than <paramref name="listsMax"/>, or more than <paramref name="bytesMax"/> bytes.
    /// </summary>
    /// <exception cref="FormatException">The stored form is damaged.</exception>
    public static void Replace(ReadOnlySpan<byte> before, ReadOnlySpan<byte> surface, ReadOnlySpan<byte> arm, ReadOnlySpan<byte> list, int listsMax, int bytesMax, ByteWriter into)
    {
        var others = 0;
        long bytes = 0;
        foreach (var entry in new Entries(before))
            if (!entry.Is(surface, arm))
            {
                others++;
                bytes += entry.Whole.Length;
            }
        const int framing = 1 + 5 + 3 * 5;
        var room = bytesMax - (framing + surface.Length + arm.Length + list.Length);
        var dropped = 0;
        foreach (var entry in new Entries(before))
            if (!entry.Is(surface, arm) && (others - dropped > listsMax - 1 || bytes > room))
            {
                dropped++;
                bytes -= entry.Whole.Length;
            }
        into.Byte(Version);
        into.Count(others - dropped + 1);
        foreach (var entry in new Entries(before))
            if (!entry.Is(surface, arm) && --dropped < 0) into.Raw(entry.Whole);
        into.Bytes(surface);
        into.Bytes(arm);
        into.Bytes(list);
    }

    private readonly ref struct Entry(ReadOnlySpan<byte> surface, ReadOnlySpan<byte> arm, ReadOnlySpan<byte> whole)
    {
        private readonly ReadOnlySpan<byte> _surface = surface;
        private readonly ReadOnlySpan<byte> _arm = arm;

        /// <summary>The entry as it is stored.</summary>
        public ReadOnlySpan<byte> Whole { get; } = whole;

        public bool Is(ReadOnlySpan<byte> surface, ReadOnlySpan<byte> arm) => _surface.SequenceEqual(surface) && _arm.SequenceEqual(arm);
    }

    private ref struct Entries
    {
        private readonly ReadOnlySpan<byte> _lists;
        private ByteReader _reader;
        private int _left;

        public Entries(ReadOnlySpan<byte> lists)
        {
            _lists = lists;
            _reader = new ByteReader(lists);
            if (lists.IsEmpty) return;
            _reader.Version(Version, "a user's lists");
            _left = _reader.Count(3);
        }

        public Entry Current { get; private set; }

        public readonly Entries GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_left-- <= 0) return false;
            var from = _lists.Length - _reader.Remaining;
            var surface = _reader.Bytes();
            var arm = _reader.Bytes();
            _reader.Bytes();
            Current = new Entry(surface, arm, _lists[from..^_reader.Remaining]);
            return true;
        }
    }
}
