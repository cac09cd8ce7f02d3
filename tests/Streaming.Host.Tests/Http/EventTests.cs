using System.Text;
using System.Text.Json;
using Streaming.Core.Events;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

[Collection(NodeCollection.Name)]
public sealed class EventTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task A_single_event_answers_with_its_position()
    {
        var answer = await _live.PostAsync("/v1/events", """{"type":"click","user":"single","item":"base-1"}""");
        answer.Status.ShouldBe(200, answer.Text);
        answer.Json.GetProperty("accepted").GetInt32().ShouldBe(1);
        answer.Json.GetProperty("rejected").GetInt32().ShouldBe(0);
        answer.Json.GetProperty("results")[0].GetProperty("position").GetString()!.ShouldMatch(@"^[01]:\d+$");
    }

    [Fact]
    public async Task An_array_and_lines_are_taken_whole_and_applied()
    {
        var array = await _live.PostAsync("/v1/events", """
            [ {"type":"click","user":"many","item":"base-1"}, {"type":"like","user":"many","item":"base-2"},
              {"type":"my_own","user":"nobody","item":"base-2"} ]
            """);
        array.Json.GetProperty("accepted").GetInt32().ShouldBe(3);
        var lines = await _live.PostLinesAsync(
            "/v1/events", """{"type":"share","user":"many","item":"base-3"}""", "", """{"type":"search","user":"many","query":"tag-1"}""" + "\r", "  ");
        lines.Json.GetProperty("accepted").GetInt32().ShouldBe(2);
        lines.Json.GetProperty("results").GetArrayLength().ShouldBe(2);
        var state = await _live.UntilAsync(() => _live.GetAsync("/v1/users/many"), a => a.Status == 200 && a.Json.GetProperty("events").GetInt64() == 4);
        state.Json.GetProperty("history").EnumerateArray().Select(a => a.GetProperty("action").GetString()).ShouldBe(["Share", "Like", "Click"]);
    }

    [Theory]
    [InlineData("""{"type":"click","item":"i"}""", "user is missing")]
    [InlineData("""{"user":"u","item":"i"}""", "type is missing")]
    [InlineData("""{"type":"click","user":"u"}""", "item is missing")]
    [InlineData("""{"type":"click","user":"","item":"i"}""", "user is empty")]
    [InlineData("""{"type":"click","user":{},"item":"i"}""", "user is")]
    [InlineData("""{"type":"rating","user":"u","item":"i"}""", "value is missing")]
    [InlineData("""{"type":"search","user":"u"}""", "query is missing")]
    [InlineData("""{"type":"impression","user":"u"}""", "item is missing")]
    [InlineData("""{"type":"user_upsert","user":"u"}""", "profile is missing")]
    [InlineData("""{"type":"click","user":"u","item":"i","profile":{}}""", "profile is allowed with user_upsert only")]
    [InlineData("""{"type":"click","user":"u","item":"i","time":1700000000}""", "looks like seconds")]
    [InlineData("""{"type":"click","user":"u","item":"i","time":"yesterday"}""", "ISO 8601")]
    [InlineData("""{"type":"click","user":"u","item":"i","position":-1}""", "position is -1")]
    [InlineData("""{"type":"click","user":"u","user_id":"v","item":"i"}""", "user is there twice")]
    [InlineData("""{"type":"click","user":"u","item":"i" """, "not valid JSON")]
    [InlineData("[{\"type\":\"click\"}", "must be one JSON object")]
    [InlineData("42", "must be one JSON object")]
    [InlineData("", "not valid JSON")]
    public async Task A_bad_event_is_refused_with_its_reason_and_set_aside(string json, string reason)
    {
        var answer = await _live.PostAsync("/v1/events", json);
        answer.ShouldBeProblem(400, "rejected").ShouldContain(reason);
        var letter = (await _live.DeadLettersAsync()).Last(l => l.Payload.Span.SequenceEqual(Encoding.UTF8.GetBytes(json)));
        letter.Reason.ShouldBe(answer.Json.GetProperty("detail").GetString());
        letter.Topic.ShouldBe("ingest");
    }

    [Fact]
    public async Task A_mixed_batch_says_for_each_record_what_became_of_it()
    {
        var answer = await _live.PostAsync("/v1/events", """
            [ {"type":"click","user":"mixed","item":"base-1"}, {"type":"click","user":"mixed"}, {"type":"like","user":"mixed","item":"base-1"}, 7 ]
            """);
        answer.Status.ShouldBe(200);
        answer.Json.GetProperty("accepted").GetInt32().ShouldBe(2);
        answer.Json.GetProperty("rejected").GetInt32().ShouldBe(2);
        var results = answer.Json.GetProperty("results");
        results[0].TryGetProperty("position", out _).ShouldBeTrue();
        results[1].GetProperty("error").GetString().ShouldBe("item is missing; click needs one");
        results[2].TryGetProperty("position", out _).ShouldBeTrue();
        results[3].GetProperty("error").GetString()!.ShouldContain("must be one JSON object");
    }

    [Fact]
    public async Task A_batch_of_only_bad_records_answers_400()
    {
        var answer = await _live.PostLinesAsync("/v1/events", "{}", "nonsense");
        answer.Status.ShouldBe(400);
        answer.Json.GetProperty("rejected").GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task A_type_without_a_weight_is_set_aside_by_the_actor()
    {
        const string json = """{"type":"wiggle","user":"odd","item":"base-1"}""";
        await _live.EventAsync(json);
        var letters = await _live.UntilAsync(_live.DeadLettersAsync, all => all.Exists(l => l.Payload.Span.SequenceEqual(Encoding.UTF8.GetBytes(json))));
        var letter = letters.Find(l => l.Payload.Span.SequenceEqual(Encoding.UTF8.GetBytes(json)))!;
        letter.Reason.ShouldContain("'wiggle' is not built in and has no weight in Users:ActionWeights");
        letter.Topic.ShouldBe("events");
    }

    [Fact]
    public async Task A_repeated_event_id_counts_once()
    {
        const string json = """{"type":"click","user":"again","item":"base-4","event_id":"again-1"}""";
        await _live.EventAsync(json);
        await _live.EventAsync(json);
        var list = await _live.FeedAfterAsync("again", """{"type":"click","user":"again","item":"base-5"}""");
        list.GetProperty("source").GetString().ShouldBe("own");
        (await _live.GetAsync("/v1/users/again")).Json.GetProperty("positives").GetInt64().ShouldBe(2);
    }

    [Fact]
    public async Task A_record_larger_than_the_log_takes_is_refused_and_its_start_set_aside()
    {
        var giant = Encoding.UTF8.GetBytes("{\"type\":\"click\",\"user\":\"giant\",\"x\":\"" + new string('x', 5 << 20) + "\"}");
        var answer = await _live.SendAsync(HttpMethod.Post, "/v1/events", giant);
        answer.ShouldBeProblem(400, "rejected").ShouldContain("bytes; allowed are 1048576");
        var letter = (await _live.DeadLettersAsync()).Find(l => l.Payload.Length == 2 * EventLimits.RecordBytesMax)!;
        letter.Reason.ShouldContain("only the first 2097152 bytes are kept");
        letter.Payload.Span.SequenceEqual(giant.AsSpan(0, 2 * EventLimits.RecordBytesMax)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_body_that_does_not_say_that_it_is_json_answers_415()
    {
        (await _live.SendAsync(HttpMethod.Post, "/v1/events", "{}"u8.ToArray(), "text/plain")).ShouldBeProblem(415);
    }

    [Fact]
    public async Task A_node_that_is_too_far_behind_asks_to_try_again()
    {
        var settings = LiveNode.SmallSettings;
        // Below any lag there is: behind from the start.
        await using var behind = await LiveNode.StartAsync(settings with { Node = settings.Node with { LagOffsetsMax = -1 } });
        var answer = await behind.PostAsync("/v1/events", """{"type":"click","user":"u","item":"i"}""");
        answer.ShouldBeProblem(429, "overloaded");
        answer.RetryAfter.ShouldBe("1");
    }

    [Fact]
    public async Task Too_many_records_and_too_many_bytes_answer_413()
    {
        var many = await _live.SendAsync(HttpMethod.Post, "/v1/events", Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Repeat("{}", 10_001))), "application/x-ndjson");
        many.ShouldBeProblem(413, "batch-too-large").ShouldContain("10000");
        var settings = LiveNode.SmallSettings;
        await using var small = await LiveNode.StartAsync(settings with { Serving = settings.Serving with { RequestBytesMax = 2048 } });
        (await small.PostAsync("/v1/events", new string(' ', 4096))).ShouldBeProblem(413, "request-too-large").ShouldContain("2048");
        // Without a length in the header the server finds out while reading.
        using var chunked = new HttpRequestMessage(HttpMethod.Post, "/v1/events") { Content = new StreamContent(new MemoryStream(new byte[4096])) };
        chunked.Headers.TransferEncodingChunked = true;
        using var response = await small.Http.SendAsync(chunked);
        ((int)response.StatusCode).ShouldBe(413);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement.GetProperty("type").GetString().ShouldBe("urn:streaming:request-too-large");
    }
}
