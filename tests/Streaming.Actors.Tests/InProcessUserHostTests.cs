using Streaming.Suites;

namespace Streaming.Actors.Tests;

public sealed class InProcessUserHostTests : UserHostSuite
{
    protected override Task<IUserHost> CreateAsync(IReadOnlyList<UserShard> shards, int mailboxRecordsMax) =>
        Task.FromResult<IUserHost>(new InProcessUserHost(shards, mailboxRecordsMax));
}

/// <inheritdoc/>
public sealed class InProcessShardHostTests : ShardHostSuite
{
    protected override Task<IShardHost> CreateAsync(int partitions, Func<int, UserShard> open, int mailboxRecordsMax) =>
        Task.FromResult<IShardHost>(new InProcessUserHost(partitions, open, mailboxRecordsMax));
}
