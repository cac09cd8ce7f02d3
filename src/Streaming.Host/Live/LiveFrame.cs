using Streaming.Node;

namespace Streaming.Host.Live;

/// <summary>What the charts draw, of one second. Figures without a value are NaN, and null on the wire.</summary>
internal sealed record LiveSample
{
    public required long AtMs { get; init; }
    public required double EventsPerS { get; init; }
    public required double LookupsPerS { get; init; }

    /// <summary>Milliseconds, of the last seconds.</summary>
    public required double ClickToListMsP50 { get; init; }

    public required double ClickToListMsP99 { get; init; }
    public required double FeedAgeMsP50 { get; init; }
    public required double FeedAgeMsP99 { get; init; }

    /// <summary>Share of the look-ups that were answered with the user's own list.</summary>
    public required double HitShare { get; init; }

    public required long LagOffsets { get; init; }

    /// <summary>Prequential, over each model's window.</summary>
    public required IReadOnlyDictionary<string, double> Auc { get; init; }

    /// <summary>Of each deep model that lists are made with a version of: that version, which an operator may have rolled back to.</summary>
    public required IReadOnlyDictionary<string, long> Versions { get; init; }
}

/// <summary>A model's prequential figures.</summary>
internal sealed record ModelRow(string Model, double Auc, double Gauc, double LogLoss, double Calibration);

/// <summary>A place on everybody's popular list; <c>was</c> is that of a minute ago, null where it was not on it.</summary>
internal sealed record PopularRow(string Item, double Score, int Rank, int? Was);

/// <summary>Everything that the dashboard shows of one second.</summary>
internal sealed record LiveFrame
{
    public required LiveSample Sample { get; init; }
    public required NodeStatus Status { get; init; }
    public required IReadOnlyDictionary<string, double> LagByPartition { get; init; }
    public required IReadOnlyDictionary<string, double> EventsPerSByType { get; init; }
    public required IReadOnlyDictionary<string, double> LookupsPerSByResult { get; init; }
    public required IReadOnlyDictionary<string, long> SetAsideByReason { get; init; }
    public required IReadOnlyList<ModelRow> Models { get; init; }
    public required IReadOnlyList<PopularRow> Popular { get; init; }
    public required IReadOnlyList<PopularRow> Movers { get; init; }
    public required IReadOnlyList<Hot> HotUsers { get; init; }
    public required IReadOnlyList<Hot> HotItems { get; init; }
    public required int Watchers { get; init; }
}
