namespace Streaming.Node.Sharing;

/// <summary>Where a node that shares the shards goes on in the other topics, per partition; part of its checkpoint.</summary>
/// <param name="Changelog">Of <c>user-state</c>: everything before is in the store.</param>
/// <param name="Examples">Of <c>examples</c>: everything before is learned.</param>
/// <param name="Feeds">Of <c>feeds</c>: everything before is in the cache.</param>
public sealed record SharedPositions(long[] Changelog, long[] Examples, long[] Feeds)
{
    public static SharedPositions Start(int partitions) => new(new long[partitions], new long[partitions], new long[partitions]);
}
