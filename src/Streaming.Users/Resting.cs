using System.Runtime.CompilerServices;

namespace Streaming.Users;

/// <summary>
/// Arrays that a user's state keeps for long. What is large goes where the collector does not move it: copying it from generation to generation would
/// be most of what a pause does, and every look-up sees the pauses.
/// </summary>
internal static class Resting
{
    /// <summary>Smaller arrays are as cheap to move as to place, bytes.</summary>
    private const int BytesMin = 1024;

    /// <summary>An array whose contents may be anything.</summary>
    /// <param name="length">Elements.</param>
    public static T[] Array<T>(int length) where T : struct =>
        RuntimeHelpers.IsReferenceOrContainsReferences<T>() || (long)length * Unsafe.SizeOf<T>() < BytesMin
            ? new T[length]
            : GC.AllocateUninitializedArray<T>(length, pinned: true);

    /// <summary>A longer one that starts with the elements of <paramref name="old"/>.</summary>
    public static T[] Resized<T>(T[] old, int length) where T : struct
    {
        var grown = Array<T>(length);
        old.CopyTo(grown, 0);
        return grown;
    }
}
