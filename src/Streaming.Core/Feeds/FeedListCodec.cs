namespace Streaming.Core.Feeds;

/// <summary>placeholder, written next</summary>
public static class FeedListCodec;
