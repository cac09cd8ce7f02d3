using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Streaming.Core.Metrics;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Metrics;

/// <summary>One trace from the event to the list. Spans belong to the whole process, so these run alone.</summary>
[Collection(ProcessWideMeters.Name)]
public sealed class TracingTests
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = $"00-{Trace}-b7ad6b7169203331-01";

    private static async Task ClickAsync(LiveNode live, string user, params (string Name, string Value)[] headers)
    {
        (await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 5).Select(i => $$"""{"id":"m{{i}}"}"""))).Status.ShouldBe(200);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/events") { Content = new StringContent($$"""{"type":"click","user":"{{user}}","item":"m1","event_id":"{{user}}-1"}""", Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        (await live.Http.SendAsync(request)).EnsureSuccessStatusCode();
        (await live.GetAsync($"/v1/feed/{user}?after={user}-1&wait_ms=30000")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_click_is_followed_to_the_list_that_it_makes()
    {
        var ended = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is StreamingTraces.SourceName or "Microsoft.AspNetCore",
            // Whoever brings a trace decides; nobody else starts one.
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => options.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var live = await LiveNode.StartAsync();
        await ClickAsync(live, "ann", ("traceparent", Parent));
        await ClickAsync(live, "bob");

        await live.UntilAsync(() => Task.FromResult(ended.Where(a => a.TraceId.ToHexString() == Trace).Select(a => a.OperationName).ToList()), names => names.Contains("put list") && names.Count >= 5);
        var spans = ended.Where(a => a.TraceId.ToHexString() == Trace).ToLookup(a => a.OperationName);
        var (append, apply, build, put) = (spans["append events"].Single(), spans["apply event"].Single(), spans["build list"].First(), spans["put list"].First());
        apply.ParentSpanId.ShouldBe(append.SpanId);
        build.ParentSpanId.ShouldBe(apply.SpanId);
        put.ParentSpanId.ShouldBe(build.SpanId);
        spans["Microsoft.AspNetCore.Hosting.HttpRequestIn"].Single().ParentSpanId.ToHexString().ShouldBe("b7ad6b7169203331");
        append.ParentSpanId.ShouldBe(spans["Microsoft.AspNetCore.Hosting.HttpRequestIn"].Single().SpanId);
        apply.GetTagItem("streaming.event_type").ShouldBe("click");
        build.GetTagItem("streaming.arm").ShouldBe("learned");
        // The context is in the record of the one, and nothing in that of the other.
        var records = await live.ReadTopicAsync(Core.Log.Topics.Events);
        records.Count(r => Encoding.UTF8.GetString(r).Contains($"\"traceparent\":\"00-{Trace}")).ShouldBe(1);
        records.Count(r => Encoding.UTF8.GetString(r).Contains("traceparent")).ShouldBe(1);
    }

    [Fact]
    public async Task Spans_reach_a_collector()
    {
        string[] names = ["streaming", "append events", "apply event", "build list", "put list"];
        var (types, missing) = (new ConcurrentQueue<string>(), new ConcurrentDictionary<string, bool>(names.Select(n => KeyValuePair.Create(n, true))));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var collector = builder.Build();
        collector.MapPost("/v1/traces", async (HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            types.Enqueue(context.Request.ContentType ?? "");
            foreach (var name in names)
                if (body.ToArray().AsSpan().IndexOf(Encoding.UTF8.GetBytes(name)) >= 0) missing.TryRemove(name, out _);
        });
        await collector.StartAsync();
        var settings = LiveNode.SmallSettings with { Tracing = new TracingSettings { Endpoint = collector.Urls.Single(), Protocol = "http", SampleShare = 1 } };
        await using (var live = await LiveNode.StartAsync(settings))
        {
            await ClickAsync(live, "ann");
            // Spans leave in batches, every five seconds and at the end.
            await live.UntilAsync(() => Task.FromResult(string.Join(", ", missing.Keys)), left => left.Length == 0);
        }
        types.ShouldAllBe(type => type == "application/x-protobuf");
    }

    [Theory]
    [InlineData("collector", "grpc", 0.1, "Tracing:Endpoint")]
    [InlineData("http://127.0.0.1:4317", "udp", 0.1, "Tracing:Protocol")]
    [InlineData("", "grpc", 1.5, "Tracing:SampleShare")]
    public void Bad_settings_are_named(string endpoint, string protocol, double share, string key) =>
        (LiveNode.SmallSettings with { Tracing = new TracingSettings { Endpoint = endpoint, Protocol = protocol, SampleShare = share } }).Validate().Single().ShouldStartWith(key);
}
