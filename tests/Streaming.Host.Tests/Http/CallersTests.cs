using System.Text;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary>What callers rely on beside the routes: sending again, calling from other origins, versions.</summary>
public sealed class CallersTests
{
    private const string Shop = "https://shop.example";

    private static readonly StreamingSettings Open = LiveNode.SmallSettings with { Serving = LiveNode.SmallSettings.Serving with { CorsOrigins = [Shop] } };

    private static Task<HttpResponseMessage> SendAsync(LiveNode live, HttpMethod method, string path, string? body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return live.Http.SendAsync(request);
    }

    /// <summary>As it is after a restart, or on another node: no answer is known, but users know the ids that the key has made.</summary>
    [Fact]
    public async Task A_request_that_is_sent_again_under_its_key_changes_nothing_where_its_answer_is_not_kept()
    {
        await using var live = await LiveNode.StartAsync(LiveNode.SmallSettings with { Serving = LiveNode.SmallSettings.Serving with { IdempotencyMbMax = 0 } });
        const string batch = """[{"type":"click","user":"ann","item":"a"},{"type":"click","user":"ann","item":"b","event_id":"own"}]""";
        for (var sent = 0; sent < 3; sent++) (await SendAsync(live, HttpMethod.Post, "/v1/events", batch, ("Idempotency-Key", "batch-1"))).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
        (await SendAsync(live, HttpMethod.Post, "/v1/events", batch, ("Idempotency-Key", "batch-2"))).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
        (long, long) Counts(Answer a) => (a.Json.GetProperty("users").GetProperty("applied").GetInt64(), a.Json.GetProperty("users").GetProperty("repeats").GetInt64());
        // Two of the first batch; of the second the one without an id of its own.
        await live.UntilAsync(() => live.GetAsync("/v1/status"), a => Counts(a) == (3, 5));
        // A key that is used again for something else loses nothing.
        (await SendAsync(live, HttpMethod.Post, "/v1/events", """{"type":"click","user":"ann","item":"c"}""", ("Idempotency-Key", "batch-1"))).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
        await live.UntilAsync(() => live.GetAsync("/v1/status"), a => Counts(a) == (4, 5));
        foreach (var bad in (string[])["with space", new string('k', 256)])
        {
            using var refused = await SendAsync(live, HttpMethod.Post, "/v1/events", batch, ("Idempotency-Key", bad));
            ((int)refused.StatusCode).ShouldBe(400);
            (await refused.Content.ReadAsStringAsync()).ShouldContain("bad-idempotency-key");
        }
    }

    [Fact]
    public async Task Pages_of_named_origins_may_call()
    {
        await using var live = await LiveNode.StartAsync(Open);
        using var asked = await SendAsync(
            live, HttpMethod.Options, "/v1/events", null, ("Origin", Shop), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type,x-api-key,idempotency-key,traceparent,x-streaming-author"));
        ((int)asked.StatusCode).ShouldBe(204);
        var allowed = asked.Headers.GetValues("Access-Control-Allow-Headers").Single().Split(',', StringSplitOptions.TrimEntries);
        foreach (var header in (string[])["Idempotency-Key", "X-Api-Key", "X-Streaming-Author", "X-Streaming-Why", "traceparent"]) allowed.ShouldContain(header, StringComparer.OrdinalIgnoreCase);
        asked.Headers.GetValues("Access-Control-Allow-Origin").ShouldBe([Shop]);
        asked.Headers.GetValues("Access-Control-Allow-Methods").Single().ShouldContain("POST");
        using var sent = await SendAsync(live, HttpMethod.Post, "/v1/events", """{"type":"click","user":"ann","item":"a"}""", ("Origin", Shop));
        ((int)sent.StatusCode).ShouldBe(200);
        sent.Headers.GetValues("Access-Control-Allow-Origin").ShouldBe([Shop]);
        // Others are answered as always, and their browsers keep the answer from them.
        using var stranger = await SendAsync(live, HttpMethod.Get, "/v1/feed/ann", null, ("Origin", "https://elsewhere.example"));
        stranger.Headers.Contains("Access-Control-Allow-Origin").ShouldBeFalse();
    }

    [Fact]
    public async Task No_origin_is_allowed_that_is_not_named()
    {
        await using var live = await LiveNode.StartAsync();
        using var asked = await SendAsync(live, HttpMethod.Options, "/v1/events", null, ("Origin", Shop), ("Access-Control-Request-Method", "POST"));
        asked.Headers.Contains("Access-Control-Allow-Origin").ShouldBeFalse();
        foreach (var bad in (string[])["shop.example", "https://shop.example/", "ftp://shop.example", ""])
            (LiveNode.SmallSettings with { Serving = LiveNode.SmallSettings.Serving with { CorsOrigins = [bad] } }).Validate().Single().ShouldContain("Serving:CorsOrigins:0");
        (LiveNode.SmallSettings with { Serving = LiveNode.SmallSettings.Serving with { CorsOrigins = ["*", "http://localhost:5173"] } }).Validate().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("/v2/feed/ann")]
    [InlineData("/v10")]
    [InlineData("/v0/events")]
    public async Task Another_version_is_said_not_to_be_there(string path)
    {
        await using var live = await LiveNode.StartAsync();
        (await live.GetAsync(path)).ShouldBeProblem(404, "unknown-version").ShouldContain("/v1");
        (await live.GetAsync("/v1/nothing")).Status.ShouldBe(404);
    }
}
