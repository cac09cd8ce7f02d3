using System.Globalization;

namespace Streaming.Core.Experiments;

/// <summary>A version of a deep model, named as arms name it: "din@1200".</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Version">Mini-batches learned, as lists and <c>/v1/status</c> name it.</param>
public readonly record struct ModelPin(string Model, long Version)
{
    public static bool TryParse(string text, out ModelPin pin)
    {
        pin = default;
        var at = text.LastIndexOf('@');
        if (at <= 0 || !long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var version) || version <= 0) return false;
        pin = new ModelPin(text[..at], version);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Model}@{Version}");
}
