using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using System.Text;
using System.Text.Json;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Http;
using Streaming.Node;

namespace Streaming.Host.Tests.Fixtures;

/// <summary>A node with its loop and its HTTP API on a free port, in a folder of its own or in a given one.</summary>
public sealed class LiveNode : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly CancellationTokenSource _stop;
    private readonly DirectoryInfo? _temporary;
    private readonly RunningNode _running;
    private readonly WebApplication _app;
    private readonly Task _loop;
    private bool _stopped;

    private LiveNode(
        RunningNode running, WebApplication app, Task loop, CancellationTokenSource stop, DirectoryInfo? temporary, ConcurrentQueue<NodeNotice> notices)
    {
        (_running, _app, _loop, _stop, _temporary, Notices) = (running, app, loop, stop, temporary, notices);
        Address = new Uri(app.Urls.First());
        AdminAddress = new Uri(app.Urls.Last());
        // Certificates are the tests' own.
        var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => (PeerCertificate = certificate) is not null } };
        Http = new HttpClient(handler) { BaseAddress = Address, Timeout = Patience };
    }

    public Uri Address { get; }

    /// <summary>The same as <see cref="Address"/> where there is one address for all.</summary>
    public Uri AdminAddress { get; }

    public HttpClient Http { get; }

    /// <summary>What the server showed at the last handshake.</summary>
    public System.Security.Cryptography.X509Certificates.X509Certificate? PeerCertificate { get; private set; }

    /// <summary>Everything that is mapped.</summary>
    public IEnumerable<Microsoft.AspNetCore.Http.Endpoint> Endpoints => ((Microsoft.AspNetCore.Routing.IEndpointRouteBuilder)_app).DataSources.SelectMany(d => d.Endpoints);
    public StreamingNode Node => _running.Node;
    public IEventLog Log => Node.Log;

    /// <summary>What the node has told its operator so far.</summary>
    public ConcurrentQueue<NodeNotice> Notices { get; }

    /// <summary>Small stores, quick ticks, nobody in the hold-out.</summary>
    public static StreamingSettings SmallSettings { get; } = new()
    {
        Log = new LogSettings { Partitions = 2 },
        Node = new NodeSettings { TickIntervalMs = 50 },
        Storage = new StorageSettings
        {
            LogMemoryMbPerPartition = 2, State = new HybridStoreSettings { MemoryMb = 8, IndexMb = 1 }, Cache = new HybridStoreSettings { MemoryMb = 8, IndexMb = 1 },
        },
        Learning = new LearningSettings { FtrlBits = 14 },
        // A look-up that waits for its first list waits for it however busy the machine is.
        Experiments = new ExperimentsSettings { HoldoutShare = 0, FirstListWaitMs = 30_000 },
        Serving = new ServingSettings { Listen = "127.0.0.1:0", FreshnessWaitMsMax = 30_000 },
    };

    public static async Task<LiveNode> StartAsync(StreamingSettings? settings = null, string? folder = null)
    {
        settings ??= SmallSettings;
        var temporary = folder is null ? Directory.CreateTempSubdirectory("streaming-test-") : null;
        var stop = new CancellationTokenSource();
        var notices = new ConcurrentQueue<NodeNotice>();
        var running = await RunningNode.OpenAsync(settings, folder ?? temporary!.FullName, notices.Enqueue);
        try
        {
            var app = ApiServer.Build(running.Node, settings, logging => logging.ClearProviders(), text => notices.Enqueue(new NodeNotice(NoticeLevel.Warning, text)));
            await ApiServer.StartAsync(app, settings.Serving.Listen, default);
            var loop = Task.Run(() => running.Node.RunAsync(stop.Token));
            return new LiveNode(running, app, loop, stop, temporary, notices);
        }
        catch
        {
            await running.DisposeAsync();
            temporary?.Delete(recursive: true);
            throw;
        }
    }

    /// <summary>What SIGTERM does: no more requests, drain, checkpoint, close.</summary>
    public async Task StopAsync()
    {
        if (_stopped) return;
        _stopped = true;
        await _app.StopAsync();
        await _stop.CancelAsync();
        await _loop;
        Http.Dispose();
        await _app.DisposeAsync();
        await _running.DisposeAsync();
        _stop.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _temporary?.Delete(recursive: true);
    }

    public async Task<Answer> SendAsync(HttpMethod method, string path, byte[]? body = null, string? type = null, string? key = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (key is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type ?? "application/json");
        }
        using var response = await Http.SendAsync(request);
        return new Answer((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, response.Headers.RetryAfter?.ToString(), await response.Content.ReadAsByteArrayAsync());
    }

    public Task<Answer> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<Answer> PostAsync(string path, string json) => SendAsync(HttpMethod.Post, path, Encoding.UTF8.GetBytes(json));

    public Task<Answer> PutAsync(string path, string json) => SendAsync(HttpMethod.Put, path, Encoding.UTF8.GetBytes(json));

    public Task<Answer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path);

    /// <summary>Sends lines as NDJSON.</summary>
    public Task<Answer> PostLinesAsync(string path, params IEnumerable<string> lines) =>
        SendAsync(HttpMethod.Post, path, Encoding.UTF8.GetBytes(string.Join('\n', lines)), "application/x-ndjson");

    /// <summary>Posts one event, as a client does: again where the node puts it off. Returns its position as the API spells it.</summary>
    public async Task<string> EventAsync(string json)
    {
        var answer = await UntilAsync(() => PostAsync("/v1/events", json), a => a.Status != 429);
        answer.Status.ShouldBe(200, answer.Text);
        return answer.Json.GetProperty("results")[0].GetProperty("position").GetString()!;
    }

    /// <summary>Posts one event, and returns the user's list on the surface once it has seen it.</summary>
    public async Task<JsonElement> FeedAfterAsync(string user, string eventJson, string surface = "")
    {
        var position = await EventAsync(eventJson);
        var answer = await GetAsync($"/v1/feed/{Uri.EscapeDataString(user)}?surface={surface}&limit=1000&after={position}&wait_ms=30000");
        answer.Status.ShouldBe(200, answer.Text);
        return answer.Json;
    }

    /// <summary>Repeats a look, one round of the node apart, until it shows what is wanted.</summary>
    public async Task<T> UntilAsync<T>(Func<Task<T>> look, Func<T, bool> wanted)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            var seen = await look();
            if (wanted(seen)) return seen;
            if (patience.IsCancellationRequested) throw new TimeoutException($"not within {Patience}; last seen: {seen}");
            await Node.AskModelsAsync(_ => 0);
        }
    }

    /// <summary>Every record of a topic, oldest first within a partition.</summary>
    public async Task<List<byte[]>> ReadTopicAsync(string topic)
    {
        var all = new List<byte[]>();
        var batch = new LogBatch();
        for (var p = 0; p < Log.PartitionCount(topic); p++)
        {
            var range = await Log.RangeAsync(topic, p);
            using var reader = Log.OpenReader(topic, p, range.Earliest);
            while (reader.Offset < range.End && reader.Read(batch, 1000) > 0)
                for (var i = 0; i < batch.Count; i++) all.Add(batch.Value(i).ToArray());
        }
        return all;
    }

    public async Task<List<DeadLetter>> DeadLettersAsync() => [.. (await ReadTopicAsync(Topics.DeadLetter)).Select(bytes => DeadLetter.Read(bytes))];
}

/// <summary>A response, read whole.</summary>
public sealed record Answer(int Status, string? Type, string? RetryAfter, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>The ids of a list, in order.</summary>
    public IReadOnlyList<string> Items => Json.ItemIds();

    /// <summary>Asserts a problem document (RFC 9457) and returns its detail.</summary>
    public string ShouldBeProblem(int status, string? type = null)
    {
        Status.ShouldBe(status, Text);
        Type.ShouldBe("application/problem+json");
        Json.GetProperty("status").GetInt32().ShouldBe(status);
        if (type is not null) Json.GetProperty("type").GetString().ShouldBe("urn:streaming:" + type);
        return Json.TryGetProperty("detail", out var detail) ? detail.GetString()! : "";
    }

    public override string ToString() => $"{Status} {Text}";
}

internal static class ListJson
{
    public static IReadOnlyList<string> ItemIds(this JsonElement list) =>
        [.. list.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("item").GetString()!)];
}

/// <summary>One node that tests which do not restart it share; each names its own users and items.</summary>
public sealed class SharedNode : IAsyncLifetime
{
    public LiveNode Live { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Live = await LiveNode.StartAsync();
        var items = Enumerable.Range(0, 30).Select(i => $$"""{"id":"base-{{i}}","tags":["tag-{{i % 3}}"],"categories":["category-{{i % 10}}"],"author":"author-{{i % 15}}"}""");
        (await Live.PostLinesAsync("/v1/items", items)).Status.ShouldBe(200);
        await Live.UntilAsync(() => Live.GetAsync("/v1/popular?limit=100"), a => a.Status == 200 && a.Items.Count >= 30);
    }

    public async Task DisposeAsync() => await Live.DisposeAsync();
}

[CollectionDefinition(Name)]
public sealed class NodeCollection : ICollectionFixture<SharedNode>
{
    public const string Name = "one node";
}
