namespace Streaming.Akka.Tests;

public sealed class AkkaHostTests
{
    [Theory]
    [InlineData("reference.conf")]
    [InlineData("local.conf")]
    public void Every_key_says_what_it_is_for(string name)
    {
        var lines = AkkaHost.ReadHocon(name).Split('\n').Select(l => l.Trim()).ToList();
        var keys = 0;
        for (var i = 0; i < lines.Count; i++)
        {
            if (lines[i].StartsWith('#') || !lines[i].Contains('=')) continue;
            keys++;
            lines[i - 1].ShouldStartWith("# ", customMessage: lines[i]);
        }
        keys.ShouldBeGreaterThan(1);
    }

#if !USE_AKKA
    [Fact]
    public void Without_the_package_it_says_so_and_what_to_do()
    {
        AkkaHost.Available.ShouldBeFalse();
        AkkaHost.Reason.ShouldContain("Akka.Cluster.Sharding");

        var options = new AkkaHostOptions { Partitions = 1, Dimension = 4, MailboxRecordsMax = 256 };
        Should.Throw<PlatformNotSupportedException>(() => AkkaHost.StartAsync(options, _ => throw new InvalidOperationException()))
            .Message.ShouldContain("STREAMING_REPROBE");
    }
#endif
}
