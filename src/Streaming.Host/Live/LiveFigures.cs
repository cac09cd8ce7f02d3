using System.Text.Json;
using Streaming.Core.Experiments;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Host.Http;
using Streaming.Node;

namespace Streaming.Host.Live;

/// <summary>
/// Samples a node once a second, keeps the last ten minutes for the charts, and, while somebody watches, makes one frame of everything for all
/// watchers: a hundred of them cost what one costs. A slow watcher passes frames over.
/// </summary>
internal sealed class LiveFigures : IAsyncDisposable
{
    private const int SamplesKept = 600;
    private const int Listed = 10;
    private const int PopularKept = 50;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly StreamingNode _node;
    private readonly TimeProvider _time;
    private readonly MeterTally _meters = new();
    private readonly ActivityTail _activity;
    private readonly ItemMovers _movers = new(PopularKept);
    private readonly Queue<LiveSample> _history = new();
    private readonly SemaphoreSlim _sampling = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _timer;
    private TaskCompletionSource<byte[]> _next = NewFrame();
    private Dictionary<string, long> _events = [];
    private Dictionary<string, long> _lookups = [];
    private Second? _last;
    private long _applied;
    private long _sampled;
    private int _watchers;

    public LiveFigures(StreamingNode node, TimeProvider time)
    {
        (_node, _time) = (node, time);
        _activity = new ActivityTail(node.Log);
        _applied = node.Status().Users.Applied;
        _sampled = time.GetTimestamp();
        _timer = time.CreateTimer(_ => _ = SampleAsync(), null, Interval, Interval);
    }

    /// <summary>Cancelled when the node stops: streams end then.</summary>
    public CancellationToken Stopping => _stop.Token;

    /// <summary>Enters a watcher; false when there are <paramref name="max"/>. Each that came in goes out again by <see cref="Leave"/>.</summary>
    public bool TryEnter(int max)
    {
        if (Interlocked.Increment(ref _watchers) <= max) return true;
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _watchers);

    /// <summary>The charts' past, oldest first, as JSON.</summary>
    public byte[] History()
    {
        lock (_history) return JsonSerializer.SerializeToUtf8Bytes(new { samples = _history }, ReportJson.Options);
    }

    /// <summary>What was measured over a second.</summary>
    private sealed record Second(LiveSample Sample, Dictionary<string, double> EventRates, Dictionary<string, double> LookupRates, IReadOnlyList<PopularRow> Popular);

    /// <summary>The frame of the last second, for who has just come and would see nothing until the next one, as JSON; null before the first second has passed.</summary>
    public async Task<byte[]?> LastAsync(CancellationToken cancel)
    {
        await _sampling.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            if (_last is not { } last || _stop.IsCancellationRequested) return null;
            // From here on the log's tail is followed, as after any frame.
            await _activity.StepAsync(_time.GetUtcNow().ToUnixTimeMilliseconds(), cancel).ConfigureAwait(false);
            return JsonOf(FrameOf(last, _node.Status()));
        }
        catch (EventLogException)
        {
            // As with any sample: the next one, if there is one, says more.
            return null;
        }
        finally
        {
            _sampling.Release();
        }
    }

    /// <summary>The next second's frame, as JSON.</summary>
    public Task<byte[]> NextAsync(CancellationToken cancel) => Volatile.Read(ref _next).Task.WaitAsync(cancel);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _timer.DisposeAsync().ConfigureAwait(false);
        // A sample under way still reads the log, which is closed after this.
        await _sampling.WaitAsync().ConfigureAwait(false);
        _activity.Dispose();
        _meters.Dispose();
    }

    private async Task SampleAsync()
    {
        // A log that does not answer must not have samples queue up behind it.
        if (_stop.IsCancellationRequested || !await _sampling.WaitAsync(0).ConfigureAwait(false)) return;
        try
        {
            var isWatched = Volatile.Read(ref _watchers) > 0;
            var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
            var seconds = _time.GetElapsedTime(_sampled).TotalSeconds;
            _sampled = _time.GetTimestamp();
            _meters.Observe();
            var (events, lookups, status) = (_meters.Events.Now(), _meters.Lookups.Now(), _node.Status());
            var (eventRates, lookupRates) = (Rates(_events, events, seconds), Rates(_lookups, lookups, seconds));
            var sample = SampleOf(now, status, seconds, lookupRates);
            (_events, _lookups, _applied) = (events, lookups, status.Users.Applied);
            lock (_history)
            {
                _history.Enqueue(sample);
                if (_history.Count > SamplesKept) _history.Dequeue();
            }
            _last = new Second(sample, eventRates, lookupRates, _movers.Look(Popular(), now));
            if (isWatched) await _activity.StepAsync(now, _stop.Token).ConfigureAwait(false);
            else _activity.Rest();
            if (isWatched) Interlocked.Exchange(ref _next, NewFrame()).TrySetResult(JsonOf(FrameOf(_last, status)));
            _meters.ClickToList.Turn();
            _meters.FeedAge.Turn();
        }
        catch (Exception problem) when (problem is EventLogException or ObjectDisposedException or OperationCanceledException)
        {
            // The log does not answer, or the node is being closed: the next sample, if there is one, says more.
        }
        finally
        {
            _sampling.Release();
        }
    }

    private LiveSample SampleOf(long now, NodeStatus status, double seconds, Dictionary<string, double> lookups)
    {
        var (click, age) = (_meters.ClickToList.Milliseconds(), _meters.FeedAge.Milliseconds());
        var all = lookups.Values.Sum();
        return new LiveSample
        {
            AtMs = now, EventsPerS = Math.Round((status.Users.Applied - _applied) / seconds, 1), LookupsPerS = Math.Round(all, 1),
            ClickToListMsP50 = click.P50, ClickToListMsP99 = click.P99, FeedAgeMsP50 = age.P50, FeedAgeMsP99 = age.P99,
            HitShare = all > 0 ? lookups.GetValueOrDefault("personal") / all : double.NaN, LagOffsets = status.LagOffsets,
            Auc = new Dictionary<string, double>(_meters.Gauge("prequential_auc")), Versions = VersionsOf(status),
        };
    }

    private Dictionary<string, long> VersionsOf(NodeStatus status)
    {
        var versions = status.Deep.Where(model => model.Serving > 0).ToDictionary(model => model.Name, model => model.Serving, StringComparer.Ordinal);
        foreach (var rollback in _node.Experiments.Current.Definitions.Rollbacks ?? [])
            if (ModelPin.TryParse(rollback, out var pin) && versions.ContainsKey(pin.Model)) versions[pin.Model] = pin.Version;
        return versions;
    }

    private LiveFrame FrameOf(Second second, NodeStatus status)
    {
        var (sample, popular) = (second.Sample, second.Popular);
        var (gauc, loss, calibration) = (_meters.Gauge("prequential_gauc"), _meters.Gauge("prequential_log_loss"), _meters.Gauge("prequential_calibration"));
        return new LiveFrame
        {
            Sample = sample, Status = status, LagByPartition = _meters.Gauge("log_lag_records"), EventsPerSByType = second.EventRates, LookupsPerSByResult = second.LookupRates,
            SetAsideByReason = _meters.Reasons.Now(), Watchers = Volatile.Read(ref _watchers),
            Models = [.. sample.Auc.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => new ModelRow(m.Key, m.Value, Of(gauc, m.Key), Of(loss, m.Key), Of(calibration, m.Key)))],
            Popular = [.. popular.Take(Listed)], Movers = ItemMovers.Top(popular, Listed), HotUsers = _activity.Users(Listed), HotItems = _activity.Items(Listed),
        };

        static double Of(IReadOnlyDictionary<string, double> gauge, string model) => gauge.TryGetValue(model, out var value) ? value : double.NaN;
    }

    private static byte[] JsonOf(LiveFrame frame) => JsonSerializer.SerializeToUtf8Bytes(frame, ReportJson.Options);

    private List<(string Item, double Score)> Popular()
    {
        var bytes = new ByteWriter(16 * 1024);
        if (!_node.Lookup.TryPopular("", "", bytes)) return [];
        var view = new FeedListView(bytes.WrittenSpan);
        var rows = new List<(string, double)>();
        for (var i = 0; i < Math.Min(PopularKept, view.Count); i++) rows.Add((view.Item(i), view.Score(i)));
        return rows;
    }

    private static Dictionary<string, double> Rates(Dictionary<string, long> before, Dictionary<string, long> now, double seconds) =>
        now.ToDictionary(pair => pair.Key, pair => Math.Round((pair.Value - before.GetValueOrDefault(pair.Key)) / seconds, 1));

    private static TaskCompletionSource<byte[]> NewFrame() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
