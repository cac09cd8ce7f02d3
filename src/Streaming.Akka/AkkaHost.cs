using System.Text.RegularExpressions;
using Streaming.Actors;

namespace Streaming.Akka;

/// <summary>What user actors on a cluster need to know.</summary>
public sealed record AkkaHostOptions
{
    /// <summary>Partitions of <c>events</c>; each is one shard.</summary>
    public required int Partitions { get; init; }

    /// <summary>Dimension of the user embedding.</summary>
    public required int Dimension { get; init; }

    /// <summary>Records on their way to one shard at most.</summary>
    public required int MailboxRecordsMax { get; init; }

    /// <summary>HOCON text over <c>hocon/reference.conf</c>; null means <c>hocon/local.conf</c>: one node on this machine.</summary>
    public string? Hocon { get; init; }

    /// <summary>Told why, before the node is ended because the cluster has taken it out; null for nobody.</summary>
    public Action<string>? Removed { get; init; }

    /// <summary>Told what Akka warns of, and its errors; null for nobody.</summary>
    public Action<string>? Warned { get; init; }

    /// <summary>Name of the entity type; hosts of one name share the shards.</summary>
    public string TypeName { get; init; } = "users";
}

/// <summary>
/// User actors on Akka.Cluster.Sharding, where this build has it. A shard that moves to another node is written into the store
/// before it stops and read from it where it starts, so all nodes' shards must open the same store.
/// </summary>
public static partial class AkkaHost
{
    private const string Missing =
        "this build has no Akka.NET: the package registry did not serve Akka.Cluster.Sharding when it was built. Users run in-process; "
        + "nodes share work through Kafka's consumer groups. With a registry that has it: STREAMING_REPROBE=1 ./run";

    /// <summary>Whether this build has Akka.NET.</summary>
#if USE_AKKA
    public static bool Available => true;
#else
    public static bool Available => false;
#endif

    /// <summary>Why not, and what to do about it; empty when it is.</summary>
    public static string Reason => Available ? "" : Missing;

    /// <summary>
    /// The configuration of a name, "local", "cluster" or "kubernetes", as compiled in; else of a file. A line whose value is <c>${?NAME}</c> takes that variable of
    /// the environment, which Akka.NET's own HOCON does not, and counts for nothing where there is none.
    /// </summary>
    /// <exception cref="IOException">There is no such file, or it cannot be read.</exception>
    public static string HoconOf(string nameOrFile)
    {
        var text = nameOrFile is "local" or "cluster" or "kubernetes" ? ReadHocon(nameOrFile + ".conf") : File.ReadAllText(nameOrFile);
        return FromEnvironment().Replace(text, line => Environment.GetEnvironmentVariable(line.Groups[2].Value) is { Length: > 0 } value ? $"{line.Groups[1].Value}\"{value}\"" : "");
    }

    [GeneratedRegex(@"(?m)^([^#\n]*=\s*)\$\{\?(\w+)\}\s*$")]
    private static partial Regex FromEnvironment();

    /// <summary>Reads <c>reference.conf</c> or one of its neighbours as compiled in.</summary>
    public static string ReadHocon(string name)
    {
        using var stream = typeof(AkkaHost).Assembly.GetManifestResourceStream(name) ?? throw new FileNotFoundException($"no {name} in this build");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

#if !USE_AKKA
    /// <summary>Joins the cluster and hosts its share of the shards.</summary>
    /// <param name="options">Sizes and configuration.</param>
    /// <param name="shardOf">Makes the shard of a partition, from the store, when this node is given it.</param>
    /// <param name="cancel">Gives up joining.</param>
    /// <exception cref="PlatformNotSupportedException">This build has no Akka.NET.</exception>
    public static Task<IUserHost> StartAsync(AkkaHostOptions options, Func<int, UserShard> shardOf, CancellationToken cancel = default) =>
        throw new PlatformNotSupportedException(Missing);

    /// <inheritdoc cref="StartAsync"/>
    public static Task<IShardHost> StartShardsAsync(AkkaHostOptions options, Func<int, UserShard> shardOf, CancellationToken cancel = default) =>
        throw new PlatformNotSupportedException(Missing);
#endif
}
