using System.Runtime.CompilerServices;
using System.Text;
using Streaming.Core.Ids;

namespace Streaming.Core.Wire;

/// <summary>
/// A small bounded table of strings seen lately, so that names that come again and again (surfaces, custom types, arms, model
/// versions) are decoded from UTF-8 without a new string each time. Direct-mapped: a newcomer takes the slot of whatever was
/// there, so nothing ever grows. Not thread-safe; <see cref="Shared"/> is one per thread.
/// </summary>
public sealed class StringCache
{
    /// <summary>Longer texts are rarely names; they are decoded and not kept.</summary>
    public const int BytesMax = 64;

    private const int Slots = 1024;

    [ThreadStatic] private static StringCache? _shared;

    private readonly string?[] _slots = new string?[Slots];

    /// <summary>The calling thread's cache.</summary>
    public static StringCache Shared => _shared ??= new StringCache();

    /// <summary>The string whose UTF-8 form is <paramref name="utf8"/>; invalid sequences decode to U+FFFD.</summary>
    [SkipLocalsInit]
    public string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty) return "";
        if (utf8.Length > BytesMax) return Encoding.UTF8.GetString(utf8);
        Span<char> chars = stackalloc char[BytesMax];
        chars = chars[..Encoding.UTF8.GetChars(utf8, chars)];
        ref var slot = ref _slots[StableHash.Of(utf8) % Slots];
        if (slot is null || !chars.SequenceEqual(slot)) slot = new string(chars);
        return slot;
    }
}
