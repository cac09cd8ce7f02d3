#if USE_AKKA
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.DistributedData;
using Akka.Event;
using Akka.Hosting;
using Akka.Hosting.Logging;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Streaming.Actors;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace Streaming.Akka;

public static partial class AkkaHost
{
    /// <summary>Part of every node's address, so the same on all nodes.</summary>
    public const string SystemName = "streaming";

    /// <summary>Joins the cluster and hosts its share of the shards.</summary>
    /// <param name="options">Sizes and configuration.</param>
    /// <param name="shardOf">Makes the shard of a partition, from the store, when this node is given it.</param>
    /// <param name="cancel">Gives up joining.</param>
    /// <exception cref="TimeoutException">No seed node let this one in within <c>streaming.users.join-timeout</c>.</exception>
    public static async Task<IUserHost> StartAsync(AkkaHostOptions options, Func<int, UserShard> shardOf, CancellationToken cancel = default)
    {
        var system = await JoinAsync(options.Hocon, options.Warned, cancel).ConfigureAwait(false);
        return await AkkaUserHost.StartAsync(system, options, shardOf, ownsSystem: true).ConfigureAwait(false);
    }

    /// <summary>Joins the cluster; which shards lead here is the caller's to say.</summary>
    /// <inheritdoc cref="StartAsync" path="/exception"/>
    public static async Task<IShardHost> StartShardsAsync(AkkaHostOptions options, Func<int, UserShard> shardOf, CancellationToken cancel = default)
    {
        var system = await JoinAsync(options.Hocon, options.Warned, cancel).ConfigureAwait(false);
        return await AkkaShardHost.StartAsync(system, options, shardOf, ownsSystem: true).ConfigureAwait(false);
    }

    /// <summary>Starts an actor system and completes when it is a member of its cluster.</summary>
    /// <param name="hocon">Over <c>hocon/reference.conf</c>; null means <c>hocon/local.conf</c>.</param>
    /// <param name="warned">Told what Akka warns of, and its errors; null for nobody.</param>
    /// <param name="cancel">Gives up joining.</param>
    public static async Task<ActorSystem> JoinAsync(string? hocon, Action<string>? warned = null, CancellationToken cancel = default)
    {
        var host = new HostBuilder()
            .ConfigureLogging(logging => logging.AddProvider(new NoticeLoggers(warned)))
            .ConfigureServices(services => services
                // The node decides when it ends, and Ctrl-C is its own to hear.
                .AddSingleton<IHostLifetime, NodeLifetime>()
                .AddAkka(SystemName, (akka, _) => akka.WithStreamingCluster(hocon)))
            .Build();
        try
        {
            await host.StartAsync(cancel).ConfigureAwait(false);
            var system = host.Services.GetRequiredService<ActorSystem>();
            var cluster = Cluster.Get(system);
            var joined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            cluster.RegisterOnMemberUp(joined.SetResult);
            if (cluster.Settings.SeedNodes.IsEmpty) cluster.Join(cluster.SelfAddress);
            await joined.Task.WaitAsync(system.Settings.Config.GetTimeSpan("streaming.users.join-timeout"), cancel).ConfigureAwait(false);
            // Whoever ends the system ends what was composed around it.
            _ = system.WhenTerminated.ContinueWith(_ => host.Dispose(), TaskScheduler.Default);
            return system;
        }
        catch
        {
            await host.StopAsync(CancellationToken.None).ConfigureAwait(false);
            host.Dispose();
            throw;
        }
    }

    /// <summary>
    /// What user actors on a cluster need of an actor system: its configuration, from <paramref name="hocon"/> over <c>hocon/reference.conf</c>, and its log through the
    /// application's. For an application that composes Akka.NET itself (<c>services.AddAkka</c>); <see cref="AkkaUserHost.StartAsync"/> and
    /// <see cref="AkkaShardHost.StartAsync"/> then take its system.
    /// </summary>
    public static AkkaConfigurationBuilder WithStreamingCluster(this AkkaConfigurationBuilder akka, string? hocon)
    {
        var config = ConfigurationFactory.ParseString(hocon ?? ReadHocon("local.conf"))
            .WithFallback(ConfigurationFactory.ParseString(ReadHocon("reference.conf")))
            .WithFallback(ClusterSharding.DefaultConfig())
#pragma warning disable CS0618 // Its successor came with 1.5.32, and 1.5.30 is the oldest that this builds with.
            .WithFallback(ClusterSingletonManager.DefaultConfig())
#pragma warning restore CS0618
            .WithFallback(DistributedData.DefaultConfig());
        return akka.AddHocon(config, HoconAddMode.Prepend).ConfigureLoggers(loggers =>
        {
            loggers.ClearLoggers();
            loggers.LogLevel = Logging.LogLevelFor(config.GetString("akka.loglevel"));
            loggers.AddLoggerFactory();
        });
    }

    /// <summary>Started and stopped by the node, not by the process's signals.</summary>
    private sealed class NodeLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancel) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancel) => Task.CompletedTask;
    }

    /// <summary>Akka's warnings and errors as lines for the node's own log.</summary>
    private sealed class NoticeLoggers(Action<string>? warned) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string category) => this;

        public bool IsEnabled(LogLevel level) => warned is not null && level is >= LogLevel.Warning and < LogLevel.None;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> format)
        {
            if (IsEnabled(level)) warned!(exception is null ? $"Akka: {format(state, exception)}" : $"Akka: {format(state, exception)} ({exception.Message})");
        }

        public void Dispose()
        {
        }
    }
}
#endif
