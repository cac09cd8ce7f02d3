using System.Text;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Faults;

/// <summary>Input far beyond what anybody should send: what it is answered, and that nothing of it is lost in silence.</summary>
[Collection(NodeCollection.Name)]
public sealed class BadInputTests(SharedNode shared)
{
    private readonly LiveNode _live = shared.Live;

    [Fact]
    public async Task An_event_of_100_mb_is_refused_before_it_is_sent()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/events") { Content = new StreamContent(new Blanks(100 << 20)) };
        request.Content.Headers.ContentLength = 100 << 20;
        request.Content.Headers.ContentType = new("application/json");
        // With this the client asks first, as clients with much to send do.
        request.Headers.ExpectContinue = true;
        using var response = await _live.Http.SendAsync(request);
        var answer = new Answer((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, null, await response.Content.ReadAsByteArrayAsync());
        answer.ShouldBeProblem(413, "request-too-large").ShouldContain("Serving:RequestBytesMax");
        await _live.FeedAfterAsync("after-100-mb", """{"type":"click","user":"after-100-mb","item":"base-1"}""");
    }

    [Fact]
    public async Task An_impression_of_a_million_items_is_refused_and_its_start_set_aside()
    {
        await using var live = await LiveNode.StartAsync();
        var million = Encoding.UTF8.GetBytes("""{"type":"impression","user":"million","items":[""" + string.Join(',', Enumerable.Range(0, 1_000_000).Select(i => $"\"i{i}\"")) + "]}");
        var answer = await live.SendAsync(HttpMethod.Post, "/v1/events", million);
        answer.ShouldBeProblem(400, "rejected").ShouldContain($"the record has {million.Length} bytes");
        var letter = (await live.DeadLettersAsync()).ShouldHaveSingleItem();
        million.AsSpan().StartsWith(letter.Payload.Span).ShouldBeTrue();
        letter.Payload.Length.ShouldBeGreaterThan(1_000_000);
        letter.Reason.ShouldContain("bytes are kept");
    }

    [Theory]
    [InlineData("\"9999-12-31T23:59:59Z\"")]
    [InlineData("253402300799000")]
    public async Task An_event_of_the_year_9999_is_refused_and_set_aside(string time)
    {
        var json = $$"""{"type":"click","user":"late","item":"base-1","time":{{time}}}""";
        (await _live.PostAsync("/v1/events", json)).ShouldBeProblem(400, "rejected").ShouldContain("(2100)");
        (await _live.DeadLettersAsync()).Select(l => Encoding.UTF8.GetString(l.Payload.Span)).ShouldContain(json);
    }

    /// <summary>Within the accepted years, but not of this world: accepted, and set aside by the actor without moving anybody's clock.</summary>
    [Fact]
    public async Task An_event_of_the_far_future_is_set_aside_by_the_actor_and_moves_no_clock()
    {
        await _live.EventAsync("""{"type":"impression","user":"future","items":["base-1"]}""");
        const string json = """{"type":"click","user":"future","item":"base-2","time":"2099-12-31T23:59:59Z"}""";
        await _live.EventAsync(json);
        await _live.UntilAsync(_live.DeadLettersAsync, all => all.Exists(l => l.Payload.Span.SequenceEqual(Encoding.UTF8.GetBytes(json)) && l.Reason.Contains("after the record's own time")));
        var state = (await _live.GetAsync("/v1/users/future")).Json;
        state.GetProperty("events").GetInt64().ShouldBe(1);
        state.GetProperty("pending").GetInt32().ShouldBe(1, "the window of the impression has not ended");
        state.GetProperty("last_event_ms").GetInt64().ShouldBeLessThan(DateTimeOffset.UtcNow.AddDays(1).ToUnixTimeMilliseconds());
    }

    /// <summary>An id is never a path: what it holds reaches neither the file system nor another id.</summary>
    [Theory]
    [InlineData("../../escape")]
    [InlineData("/etc/passwd")]
    [InlineData("a\nb")]
    [InlineData("a\r\nSet-Cookie: x")]
    [InlineData("..\\..\\c:")]
    [InlineData("a/./b//c")]
    public async Task Ids_with_line_breaks_and_path_separators_are_ids(string id)
    {
        var json = System.Text.Json.JsonSerializer.Serialize(new { type = "click", user = id, item = "item " + id, event_id = id, session_id = id });
        var list = await _live.FeedAfterAsync(id, json);
        list.GetProperty("user").GetString().ShouldBe(id);
        list.GetProperty("source").GetString().ShouldBe("own");
        var state = await _live.GetAsync($"/v1/users/{Uri.EscapeDataString(id)}");
        state.Json.GetProperty("user").GetString().ShouldBe(id);
        state.Json.GetProperty("positives").GetInt64().ShouldBe(1);
        (await _live.PutAsync($"/v1/items/{Uri.EscapeDataString("item " + id)}", """{"tags":["named"]}""")).Status.ShouldBe(200);
        (await _live.DeleteAsync($"/v1/users/{Uri.EscapeDataString(id)}")).Status.ShouldBe(200);
        (await _live.GetAsync($"/v1/users/{Uri.EscapeDataString(id)}")).ShouldBeProblem(404);
    }

    /// <summary>Spaces without end.</summary>
    private sealed class Blanks(long left) : Stream
    {

        public override int Read(byte[] buffer, int offset, int count)
        {
            count = (int)Math.Min(count, left);
            buffer.AsSpan(offset, count).Fill((byte)' ');
            left -= count;
            return count;
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
