using System.Net;
using System.Text;
using System.Text.Json;

namespace Streaming.Host.Cli.Chaos;

/// <summary>
/// A client that loses nothing: it posts a batch of events again, with the same ids, until the node has answered for each of them.
/// So an event may be in the log several times, and has to be in the state once.
/// </summary>
internal sealed class ChaosSender(ChaosLedger ledger, Uri node, long seed) : IDisposable
{
    /// <summary>A resending must come before the user's last 64 ids have moved on: that many of one user's are never in one batch.</summary>
    public const int BatchMax = 10;

    private readonly Random _random = new((int)(seed * 1000 + ledger.Sender));
    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(2) }) { BaseAddress = node, Timeout = TimeSpan.FromSeconds(10) };

    /// <summary>Sends batches at a rate until told to stop; the last one is seen through.</summary>
    /// <param name="perSecond">Events per second aimed at; what the node's absence held up is not made up for.</param>
    /// <param name="stop">No new batch after it.</param>
    /// <param name="cancel">Gives up at once.</param>
    public async Task RunAsync(double perSecond, CancellationToken stop, CancellationToken cancel)
    {
        while (!stop.IsCancellationRequested)
        {
            var count = _random.Next(1, BatchMax + 1);
            var next = Task.Delay(TimeSpan.FromSeconds(count / perSecond), cancel);
            await SendAsync([.. Enumerable.Range(0, count).Select(_ => ledger.Add(Draw()))], cancel).ConfigureAwait(false);
            await next.ConfigureAwait(false);
        }
    }

    /// <summary>Posts until every event is answered; returns the position of the last one taken, null when none was.</summary>
    public async Task<string?> SendAsync(IReadOnlyList<int> events, CancellationToken cancel)
    {
        var body = Encoding.UTF8.GetBytes(string.Join('\n', events.Select(ledger.Json)));
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            try
            {
                using var content = new ByteArrayContent(body);
                content.Headers.ContentType = new("application/x-ndjson");
                using var response = await _http.PostAsync("/v1/events", content, cancel).ConfigureAwait(false);
                if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.BadRequest)
                    return Note(events, response.StatusCode, await response.Content.ReadAsByteArrayAsync(cancel).ConfigureAwait(false));
                ledger.Later++;
            }
            catch (Exception problem) when (problem is HttpRequestException or IOException or TaskCanceledException && !cancel.IsCancellationRequested)
            {
                ledger.Silent++;
            }
            await Task.Delay(_random.Next(50, 200), cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Posts a catalogue, so that a list never ends up empty because its user has clicked all there is.</summary>
    public async Task SendItemsAsync(int count, CancellationToken cancel)
    {
        var body = string.Join('\n', Enumerable.Range(0, count).Select(i => $$"""{"id":"item-{{i}}","tags":["tag-{{i % 7}}"],"categories":["category-{{i % 3}}"]}"""));
        while (true)
        {
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/x-ndjson");
                using var response = await _http.PostAsync("/v1/items", content, cancel).ConfigureAwait(false);
                if (response.IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            await Task.Delay(50, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the node has a list for the user that has seen the record at this position.</summary>
    public async Task<bool> HasFreshListAsync(string user, string position, CancellationToken cancel)
    {
        try
        {
            using var response = await _http.GetAsync($"/v1/feed/{user}?limit=1&wait_ms=2000&after={position}", cancel).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode) return false;
            using var list = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancel).ConfigureAwait(false));
            // Not taken at its word: the list names the last event that it has seen.
            return list.RootElement.TryGetProperty("last_event", out var last) && Offset(last.GetString()!) >= Offset(position);
        }
        catch (Exception problem) when (problem is HttpRequestException or IOException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    public void Dispose() => _http.Dispose();

    private static long Offset(string position) => long.Parse(position[(position.IndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture);

    private ChaosKind Draw() => _random.Next(100) switch
    {
        < 58 => ChaosKind.Impression,
        < 96 => ChaosKind.Click,
        < 98 => ChaosKind.Malformed,
        _ => ChaosKind.Unweighted,
    };

    private string? Note(IReadOnlyList<int> events, HttpStatusCode status, byte[] answer)
    {
        using var json = JsonDocument.Parse(answer);
        if (!json.RootElement.TryGetProperty("results", out var results))
        {
            // A lone bad record is answered by a problem document.
            if (status != HttpStatusCode.BadRequest || events.Count != 1) throw new InvalidDataException($"the node answered {Encoding.UTF8.GetString(answer)}");
            ledger.Answer(events[0], ChaosAnswer.Refused);
            return null;
        }
        string? last = null;
        for (var i = 0; i < events.Count; i++)
        {
            if (results[i].TryGetProperty("position", out var position)) last = position.GetString();
            ledger.Answer(events[i], results[i].TryGetProperty("error", out _) ? ChaosAnswer.Refused : ChaosAnswer.Acknowledged);
        }
        return last;
    }
}
