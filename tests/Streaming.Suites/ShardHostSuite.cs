using Streaming.Actors;
using Streaming.Suites.Fakes;
using static Streaming.Suites.Fakes.ShardBench;

namespace Streaming.Suites;

/// <summary>What every <see cref="IShardHost"/> promises beside <see cref="UserHostSuite"/>: shards that come and go while others work.</summary>
public abstract class ShardHostSuite
{
    private const long T0 = 1_700_000_000_000;

    /// <summary>A host that opens its shards anew each time, from the bench's store.</summary>
    protected abstract Task<IShardHost> CreateAsync(int partitions, Func<int, UserShard> open, int mailboxRecordsMax);

    private Task<IShardHost> CreateAsync(ShardBench bench, int partitions) => CreateAsync(partitions, p => bench.Shards()[p], 4096);

    [Fact]
    public async Task A_shard_that_leaves_goes_on_elsewhere_with_its_state_and_the_others_stay()
    {
        var bench = Filled(out var users);
        await using var one = await CreateAsync(bench, 4);
        await using var other = await CreateAsync(bench, 4);
        one.Shards.ShouldBeEmpty();
        await one.WantAsync([0, 1, 2, 3]);
        one.Shards.ShouldBe([0, 1, 2, 3]);
        await bench.FeedAsync(one);
        var before = new Dictionary<string, byte[]?>();
        foreach (var user in users) before[user] = await BytesAsync(one, user);
        await one.WantAsync([0, 3]);
        await other.WantAsync([1, 2]);
        one.Shards.ShouldBe([0, 3]);
        other.Shards.ShouldBe([1, 2]);
        foreach (var user in users)
        {
            var (here, there) = bench.PartitionOf(user) is 0 or 3 ? (one, other) : (other, one);
            (await BytesAsync(here, user)).ShouldBe(before[user], user);
            (await Should.ThrowAsync<ShardElsewhereException>(() => BytesAsync(there, user))).Partition.ShouldBe(bench.PartitionOf(user));
        }
        (one.Counts + other.Counts).Applied.ShouldBe(2_000, "counts move with their shard");
    }

    [Fact]
    public async Task Shards_that_are_dropped_write_nothing()
    {
        var bench = Filled(out var users);
        await using var host = await CreateAsync(bench, 4);
        await host.WantAsync([0, 1, 2, 3]);
        await bench.FeedAsync(host);
        await host.DropAsync([1]);
        host.Shards.ShouldBe([0, 2, 3]);
        await host.DropAsync([0, 2, 3]);
        host.Shards.ShouldBeEmpty();
        await host.WantAsync([0, 1, 2, 3]);
        foreach (var user in users) (await BytesAsync(host, user)).ShouldBeNull(user);
        host.Counts.Applied.ShouldBe(0);
    }

    private static ShardBench Filled(out List<string> users)
    {
        var bench = new ShardBench(4);
        for (var i = 0; i < 2_000; i++) bench.Append(Click($"u{i % 40}", $"i{i}", T0 + i));
        users = [.. Enumerable.Range(0, 40).Select(u => $"u{u}")];
        users.Select(bench.PartitionOf).Distinct().Count().ShouldBe(4);
        return bench;
    }
}
