using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Settings;

namespace Streaming.Node;

/// <summary>What a node runs on. The composition root picks the adapters; the node knows ports only.</summary>
public sealed record NodeParts
{
    public required StreamingSettings Settings { get; init; }
    public required IEventLog Log { get; init; }
    public required IStateStore Users { get; init; }
    public required IFeedCache Feeds { get; init; }

    /// <summary>Folder of the node's checkpoints; created when absent.</summary>
    public required string CheckpointDir { get; init; }

    /// <summary>Bytes that the disk of the data has left; null where that is of no matter.</summary>
    public Func<long>? FreeBytes { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Receives what an operator should know.</summary>
    public Action<NodeNotice> Notice { get; init; } = _ => { };
}

/// <summary>How much a notice matters.</summary>
public enum NoticeLevel
{
    Info,
    Warning,
    Error,
}

/// <summary>One structured log line: the host gives it to its logger.</summary>
public sealed record NodeNotice(NoticeLevel Level, string Message, Exception? Exception = null);
