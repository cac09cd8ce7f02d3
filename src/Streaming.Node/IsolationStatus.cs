using Streaming.Learning.Isolation;

namespace Streaming.Node;

/// <summary>What isolated arms have learned, and how much of what ranks each arm was learned from others' traffic.</summary>
public sealed record IsolationStatus(IReadOnlyList<OverlayStatus> Overlays, IReadOnlyList<ArmContamination> Arms)
{
    public static IsolationStatus None { get; } = new([], []);

    /// <summary>Between rounds.</summary>
    public static IsolationStatus Of(ArmOverlays overlays) => new(overlays.Status(), overlays.Contamination());
}
