using Streaming.Suites;

namespace Streaming.Actors.Tests;

public sealed class InProcessUserHostTests : UserHostSuite
{
    protected override Task<IUserHost> CreateAsync(IReadOnlyList<UserShard> shards, int mailboxRecordsMax) =>
        Task.FromResult<IUserHost>(new InProcessUserHost(shards, mailboxRecordsMax));
}
