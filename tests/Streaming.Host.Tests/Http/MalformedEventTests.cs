using Streaming.Host.Tests.Fixtures;
using Streaming.Suites;

namespace Streaming.Host.Tests.Http;

public sealed class MalformedEventTests
{
    private const int Count = 10_000;

    /// <summary>
    /// Payloads that fit on a line go as NDJSON, hundreds to a request; the rest (empty, blank, or with a line break inside) one to a
    /// request: either way the node gets the bytes as they are.
    /// </summary>
    [Fact]
    public async Task Ten_thousand_malformed_events_are_all_set_aside_with_a_reason()
    {
        await using var live = await LiveNode.StartAsync();
        var sent = MalformedEvents.Generate(seed: 7, Count).Select(m => m.Bytes).ToList();
        long rejected = 0;
        foreach (var batch in sent.Where(IsLine).Chunk(500))
        {
            var answer = await live.SendAsync(HttpMethod.Post, "/v1/events", Joined(batch), "application/x-ndjson");
            answer.Status.ShouldBe(400);
            rejected += answer.Json.GetProperty("rejected").GetInt64();
            answer.Json.GetProperty("results").EnumerateArray().ShouldAllBe(r => r.GetProperty("error").GetString()!.Length > 0);
        }
        await Parallel.ForEachAsync(sent.Where(bytes => !IsLine(bytes)), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (bytes, _) =>
        {
            (await live.SendAsync(HttpMethod.Post, "/v1/events", bytes)).ShouldBeProblem(400, "rejected").ShouldNotBeEmpty();
            Interlocked.Increment(ref rejected);
        });
        rejected.ShouldBe(Count);

        var letters = await live.DeadLettersAsync();
        letters.Count.ShouldBe(Count);
        letters.ShouldAllBe(l => l.Reason.Length > 0);
        letters.Select(l => Convert.ToHexString(l.Payload.Span)).Order(StringComparer.Ordinal)
            .ShouldBe(sent.Select(Convert.ToHexString).Order(StringComparer.Ordinal));

        await live.PostAsync("/v1/items", """{"id":"fine"}""");
        var list = await live.FeedAfterAsync("u", """{"type":"click","user":"u","item":"other"}""");
        list.ItemIds().ShouldContain("fine");
    }

    private static bool IsLine(byte[] bytes) => !bytes.AsSpan().Contains((byte)'\n') && bytes.AsSpan().IndexOfAnyExcept(" \t\r"u8) >= 0;

    private static byte[] Joined(IEnumerable<byte[]> lines)
    {
        using var body = new MemoryStream();
        foreach (var line in lines)
        {
            body.Write(line);
            body.WriteByte((byte)'\n');
        }
        return body.ToArray();
    }
}
