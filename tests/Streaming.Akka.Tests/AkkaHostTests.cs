namespace Streaming.Akka.Tests;

public sealed class AkkaHostTests
{
    [Theory]
    [InlineData("reference.conf")]
    [InlineData("local.conf")]
    [InlineData("cluster.conf")]
    [InlineData("kubernetes.conf")]
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

#if USE_AKKA
    /// <summary>The name that others reach a node by comes from the environment, over what reference.conf has.</summary>
    [Fact]
    public void A_node_of_a_cluster_takes_its_name_from_the_environment()
    {
        Environment.SetEnvironmentVariable("AKKA_PUBLIC_HOST", "pod-7.users");
        try
        {
            foreach (var name in (string[])["cluster", "kubernetes"])
            {
                var config = global::Akka.Configuration.ConfigurationFactory.ParseString(AkkaHost.HoconOf(name))
                    .WithFallback(global::Akka.Configuration.ConfigurationFactory.ParseString(AkkaHost.ReadHocon("reference.conf")));
                config.GetString("akka.remote.dot-netty.tcp.public-hostname").ShouldBe("pod-7.users", name);
                config.GetString("akka.remote.dot-netty.tcp.hostname").ShouldBe("0.0.0.0", name);
                config.GetStringList("akka.cluster.seed-nodes").Count.ShouldBeGreaterThan(1, name);
                config.GetString("akka.cluster.split-brain-resolver.active-strategy").ShouldBe("keep-majority", name);
            }
        }
        finally
        {
            Environment.SetEnvironmentVariable("AKKA_PUBLIC_HOST", null);
        }
        Should.Throw<IOException>(() => AkkaHost.HoconOf("no-such-file.conf"));
    }
#endif

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
