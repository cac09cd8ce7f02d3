using Streaming.Host.Tests.Fixtures;
using Streaming.Host.Tests.Metrics;

namespace Streaming.Host.Tests.Http;

[Collection(NodeCollection.Name)]
public sealed class OperationsTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task Health_and_readiness_are_answered()
    {
        (await _live.GetAsync("/healthz")).ToString().ShouldBe("200 ok\n");
        (await _live.GetAsync("/readyz")).ToString().ShouldBe("200 ready\n");
    }

    [Fact]
    public async Task The_metrics_parse_and_count_look_ups()
    {
        await _live.GetAsync("/v1/feed/metered");
        var answer = await _live.GetAsync("/metrics");
        answer.Status.ShouldBe(200);
        var page = Exposition.Parse(answer.Text);
        page.Samples.ShouldContain(s => s.Name == "streaming_lookups_total" && s.Value >= 1);
        page.Samples.ShouldContain(s => s.Name == "streaming_lookup_seconds_count" && s.Value >= 1);
    }

    [Fact]
    public async Task The_status_is_one_json_object()
    {
        var status = (await _live.GetAsync("/v1/status")).Json;
        foreach (var member in new[] { "records", "lag_offsets", "rounds", "users", "items", "examples", "models", "click_to_list_ms_p50", "click_to_list_ms_p99", "clock_ms" })
            status.TryGetProperty(member, out _).ShouldBeTrue(member);
    }

    [Fact]
    public async Task The_api_description_names_every_route()
    {
        var paths = (await _live.GetAsync("/openapi/v1.json")).Json.GetProperty("paths");
        string[] routes =
        [
            "GET /v1/feed/{user}", "POST /v1/events", "POST /v1/items", "GET /v1/items/{id}", "PUT /v1/items/{id}", "DELETE /v1/items/{id}", "GET /v1/items/{id}/similar",
            "GET /v1/popular", "GET /v1/users/{user}", "PUT /v1/users/{user}", "DELETE /v1/users/{user}", "GET /v1/users/{user}/deletion",
            "GET /v1/experiments", "PUT /v1/experiments", "GET /v1/experiments/audit", "GET /v1/experiments/assignment", "GET /v1/experiments/{id}/report",
            "POST /v1/experiments/{name}/{step}", "GET /v1/explain/{user}", "GET /v1/explain/{user}/{item}", "GET /v1/status", "GET /v1/status/stream",
            "GET /v1/operations", "GET /v1/dead-letters", "POST /v1/dead-letters/{offset}/retry", "POST /v1/intake/{step}", "POST /v1/models/{model}/{step}",
            "GET /v1/weights", "PUT /v1/weights/{name}", "DELETE /v1/weights/{name}", "GET /healthz", "GET /readyz",
        ];
        var described = paths.EnumerateObject().SelectMany(p => p.Value.EnumerateObject().Select(m => $"{m.Name.ToUpperInvariant()} {p.Name}"));
        described.ShouldBe(routes, ignoreOrder: true);
        paths.GetProperty("/v1/feed/{user}").GetProperty("get").GetProperty("parameters").EnumerateArray().Select(p => p.GetProperty("name").GetString())
            .ShouldBe(["user", "surface", "limit", "offset", "after", "wait_ms", "tags", "arm", "exclude", "categories"], ignoreOrder: true);
    }

    [Fact]
    public async Task What_is_not_there_is_a_problem_document()
    {
        (await _live.GetAsync("/v1/nothing")).ShouldBeProblem(404);
        (await _live.DeleteAsync("/v1/events")).ShouldBeProblem(405);
    }
}
