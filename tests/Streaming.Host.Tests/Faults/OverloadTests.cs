using System.Text;
using Streaming.Host.Http;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Faults;

/// <summary>More events than the node takes: producers are told to wait, look-ups go on, and nothing that was taken is lost.</summary>
public sealed class OverloadTests
{
    [Fact]
    public async Task A_flooded_node_pushes_back_serves_on_and_comes_back_by_itself()
    {
        var small = LiveNode.SmallSettings;
        // A few kilobytes behind is too far, and a round takes little: a flood at any speed of the machine is too much.
        await using var live = await LiveNode.StartAsync(small with
        {
            Node = small.Node with { LagOffsetsMax = 20_000, RoundEventsMax = 8 }, Serving = small.Serving with { FreshnessWaitMsMax = 60_000 },
        });
        await live.PostLinesAsync("/v1/items", Enumerable.Range(0, 30).Select(i => $$"""{"id":"i-{{i}}","tags":["t-{{i % 3}}"]}"""));
        await live.FeedAfterAsync("reader", """{"type":"click","user":"reader","item":"i-1"}""");

        var (taken, putOff) = (0L, 0L);
        while (putOff < 5)
        {
            var answer = await live.PostLinesAsync("/v1/events", Enumerable.Range(0, 200).Select(i => $$"""{"type":"impression","user":"u-{{(taken + i) % 50}}","item":"i-{{i % 30}}"}"""));
            if (answer.Status == 200) taken += 200;
            else
            {
                answer.ShouldBeProblem(429, "overloaded");
                answer.RetryAfter.ShouldBe("1");
                putOff++;
            }
            var list = await live.GetAsync("/v1/feed/reader");
            list.Status.ShouldBe(200);
            list.Json.GetProperty("source").GetString().ShouldBe("own");
        }
        // No restart and no help: an event is taken again, and all that were taken before it are applied.
        await live.UntilAsync(() => live.PostAsync("/v1/events", """{"type":"click","user":"reader","item":"i-2"}"""), a => a.Status == 200);
        await live.UntilAsync(() => live.GetAsync("/v1/status"), a => a.Json.GetProperty("lag_offsets").GetInt64() == 0 && a.Json.GetProperty("admission").GetString() == "Open");
        long applied = 0;
        for (var u = 0; u < 50; u++) applied += await live.Node.AskUserAsync($"u-{u}", state => state?.Events ?? 0);
        applied.ShouldBe(taken);
    }

    [Fact]
    public void Requests_being_taken_in_are_bounded_by_their_bytes_and_a_lone_one_always_fits()
    {
        var room = new InFlightRoom(100);
        using (var lone = room.Take(1_000))
        {
            lone.ShouldNotBeNull();
            room.Take(1).ShouldBeNull();
        }
        using var first = room.Take(60);
        using (room.Take(40)) room.Take(1).ShouldBeNull();
        using var second = room.Take(30);
        second.ShouldNotBeNull();
        room.Taken.ShouldBe(90);
    }

    [Fact]
    public async Task Too_many_bytes_at_once_are_put_off_before_they_are_read()
    {
        var small = LiveNode.SmallSettings;
        await using var live = await LiveNode.StartAsync(small with { Serving = small.Serving with { InFlightMbMax = 1 } });
        var small1 = Encoding.UTF8.GetBytes("""{"type":"click","user":"u","item":"i"}""");
        while (true)
        {
            // One request that holds its room while it is still being sent.
            var body = new HalfSent();
            using var slow = new HttpRequestMessage(HttpMethod.Post, "/v1/events") { Content = new StreamContent(body) };
            slow.Content.Headers.ContentLength = 1 << 20;
            slow.Content.Headers.ContentType = new("application/x-ndjson");
            var sending = live.Http.SendAsync(slow);
            // It may itself meet one of these at the door and be put off, which its client hears of only once it has sent all, or sees by the connection that
            // the node then gives up: then once more.
            var tries = 0;
            var refused = await live.UntilAsync(() => live.SendAsync(HttpMethod.Post, "/v1/events", small1), a => a.Status != 200 || ++tries == 300);
            body.Finish();
            if (refused.Status == 200)
            {
                await sending.ContinueWith(static s => { if (s.IsCompletedSuccessfully) s.Result.Dispose(); else s.Exception!.InnerException.ShouldBeOfType<HttpRequestException>(); }, TaskScheduler.Default);
                continue;
            }
            using var answer = await sending;
            if (answer.StatusCode == System.Net.HttpStatusCode.TooManyRequests) continue;
            answer.StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
            refused.ShouldBeProblem(429, "overloaded").ShouldContain("bytes");
            refused.RetryAfter.ShouldBe("1");
            break;
        }
        (await live.SendAsync(HttpMethod.Post, "/v1/events", small1)).Status.ShouldBe(200);
    }

    /// <summary>A body of 1 MiB, an event and blanks, whose last byte comes only when told.</summary>
    private sealed class HalfSent : Stream
    {
        private const int Length1 = 1 << 20;
        private static readonly byte[] Event = """{"type":"click","user":"slow","item":"i"}"""u8.ToArray();
        private readonly TaskCompletionSource _finish = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _at;

        public void Finish() => _finish.SetResult();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_at == Length1) return 0;
            if (_at == Length1 - 1) await _finish.Task.WaitAsync(cancellationToken);
            var count = Math.Min(buffer.Length, _at < Length1 - 1 ? Length1 - 1 - _at : 1);
            buffer.Span[..count].Fill((byte)' ');
            if (_at == 0) Event.AsSpan(0, Math.Min(count, Event.Length)).CopyTo(buffer.Span);
            _at += count;
            return count;
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
