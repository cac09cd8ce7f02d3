using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Metrics;
using Streaming.Core.Wire;
using Streaming.Evaluation.Simulation;

namespace Streaming.Host.Cli;

/// <summary>
/// The simulated audience's browser: everything goes through the node's real HTTP API. Also samples what a person would see:
/// how long after the click was sent the list that has seen it comes back.
/// </summary>
internal sealed class HttpAudience : IAudienceTarget, IDisposable
{
    private const int ProbeEvery = 20;

    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private long _clicks;
    private long _sent;
    private long _rejected;

    public HttpAudience(Uri node, TimeProvider time)
    {
        _http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(10) }) { BaseAddress = node };
        _time = time;
    }

    /// <summary>Microseconds from sending a click to receiving a list that has seen it, by HTTP, sampled.</summary>
    public LatencyHistogram RoundTrip { get; } = new();

    /// <summary>Events that the node accepted.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    public long Rejected => Interlocked.Read(ref _rejected);

    /// <summary>Age of the last list served, ms.</summary>
    public long LastAgeMs { get; private set; }

    public async ValueTask<ServedPage?> FeedAsync(string user, string surface, int limit, long nowMs, CancellationToken cancel)
    {
        using var response = await _http.GetAsync(
            string.Create(CultureInfo.InvariantCulture, $"/v1/feed/{Uri.EscapeDataString(user)}?surface={Uri.EscapeDataString(surface)}&limit={limit}"), cancel).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode) return null;
        var page = await response.Content.ReadFromJsonAsync<JsonElement>(cancel).ConfigureAwait(false);
        var items = page.GetProperty("items");
        if (items.GetArrayLength() == 0) return null;
        if (page.TryGetProperty("age_ms", out var age)) LastAgeMs = age.GetInt64();
        var offset = page.GetProperty("offset").GetInt32();
        return new ServedPage(
            page.GetProperty("request_id").GetString()!, page.GetProperty("arm").GetString()!,
            [.. items.EnumerateArray().Select((item, i) => new ShownItem(item.GetProperty("item").GetString()!, offset + i))]);
    }

    public async ValueTask SendAsync(IReadOnlyList<UserEvent> events, CancellationToken cancel)
    {
        var started = _time.GetTimestamp();
        var answer = await PostAsync("/v1/events", events.Count, (i, into) => EventWriter.Write(events[i], into), cancel).ConfigureAwait(false);
        Interlocked.Add(ref _sent, answer.GetProperty("accepted").GetInt32());
        Interlocked.Add(ref _rejected, answer.GetProperty("rejected").GetInt32());
        for (var i = events.Count - 1; i >= 0; i--)
        {
            if (events[i].Kind != EventKind.Click) continue;
            if (Interlocked.Increment(ref _clicks) % ProbeEvery == 0) await ProbeAsync(events[i], answer.GetProperty("results")[i], started, cancel).ConfigureAwait(false);
            break;
        }
    }

    public async ValueTask UpsertItemsAsync(IReadOnlyList<ItemChange> changes, CancellationToken cancel)
    {
        for (var from = 0; from < changes.Count; from += 1000)
        {
            var start = from;
            await PostAsync("/v1/items", Math.Min(1000, changes.Count - from), (i, into) => ItemWriter.Write(changes[start + i], into), cancel).ConfigureAwait(false);
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task ProbeAsync(UserEvent click, JsonElement result, long started, CancellationToken cancel)
    {
        var after = result.GetProperty("position").GetString();
        using var response = await _http.GetAsync(
            $"/v1/feed/{Uri.EscapeDataString(click.User)}?surface={Uri.EscapeDataString(click.Surface)}&limit=1&after={after}&wait_ms=2000", cancel).ConfigureAwait(false);
        // A "not yet" counts at its full wait: leaving it out would flatter the tail.
        RoundTrip.Record((long)_time.GetElapsedTime(started).TotalMicroseconds);
    }

    private async Task<JsonElement> PostAsync(string path, int count, Action<int, ByteWriter> write, CancellationToken cancel)
    {
        var body = new ByteWriter(4096);
        for (var i = 0; i < count; i++)
        {
            write(i, body);
            body.Byte((byte)'\n');
        }
        using var content = new ReadOnlyMemoryContent(body.WrittenMemory);
        content.Headers.ContentType = new("application/x-ndjson");
        using var response = await _http.PostAsync(path, content, cancel).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw new IOException($"POST {path} answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(cancel).ConfigureAwait(false)}");
        return await response.Content.ReadFromJsonAsync<JsonElement>(cancel).ConfigureAwait(false);
    }
}
