using System.Globalization;

namespace Streaming.Core.Feeds;

/// <summary>
/// The id of one served list: <c>arm.version.nonce</c>, where version is the list's version in lower-case hexadecimal without
/// leading zeros and nonce makes the request unique. It alone ties an impression or a click to the list that was served, even
/// after the user's actor has forgotten that list. Ids of other shapes (a caller's own) are legal and carry no list.
/// </summary>
public static class RequestId
{
    /// <exception cref="ArgumentException">The arm is empty or contains a dot, or the version is negative.</exception>
    public static string Format(string arm, long version, ulong nonce)
    {
        if (arm.Length == 0 || arm.Contains('.')) throw new ArgumentException($"'{arm}' cannot be the arm of a request id", nameof(arm));
        ArgumentOutOfRangeException.ThrowIfNegative(version);
        return string.Create(CultureInfo.InvariantCulture, $"{arm}.{version:x}.{nonce:x}");
    }

    /// <summary>False, with everything empty, for an id that <see cref="Format"/> did not make.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ReadOnlySpan<char> arm, out long version, out ulong nonce)
    {
        arm = default;
        version = 0;
        nonce = 0;
        var first = text.IndexOf('.');
        if (first <= 0) return false;
        var rest = text[(first + 1)..];
        var second = rest.IndexOf('.');
        if (second <= 0 || !TryHex(rest[..second], out var v) || v > long.MaxValue || !TryHex(rest[(second + 1)..], out var n)) return false;
        arm = text[..first];
        version = (long)v;
        nonce = n;
        return true;
    }

    /// <summary>Lower case without leading zeros only, so that every list and nonce has exactly one spelling.</summary>
    private static bool TryHex(ReadOnlySpan<char> text, out ulong value)
    {
        value = 0;
        if (text.Length is 0 or > 16 || (text[0] == '0' && text.Length > 1)) return false;
        foreach (var c in text)
        {
            var digit = c switch { >= '0' and <= '9' => c - '0', >= 'a' and <= 'f' => c - 'a' + 10, _ => -1 };
            if (digit < 0) return false;
            value = (value << 4) | (uint)digit;
        }
        return true;
    }
}
