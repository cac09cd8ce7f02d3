using System.Net.Sockets;
using System.Text;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Http;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;
using Streaming.Node;

namespace Streaming.Host.Tests.Http;

/// <summary><c>Idempotency-Key</c> at <c>POST /v1/events</c>: the same again is answered the same.</summary>
public sealed class IdempotencyTests
{
    private const string Batch = """[{"type":"click","user":"ann","item":"a"},{"type":"like","user":"ann"},{"type":"click","user":"bob","item":"b"}]""";

    [Fact]
    public async Task The_same_again_is_answered_the_same_and_stored_once()
    {
        await using var live = await LiveNode.StartAsync();
        var first = await SendAsync(live, Batch, "batch-1");
        (first.Status, first.Replayed).ShouldBe((200, false));
        first.Text.ShouldContain("position");
        for (var again = 0; again < 3; again++) (await SendAsync(live, Batch, "batch-1")).ShouldBe(first with { Replayed = true });
        // The record that was refused was set aside once, too.
        ((await StoredAsync(live)).Count, (await live.DeadLettersAsync()).Count).ShouldBe((2, 1));
        (await SendAsync(live, Batch, "batch-2")).Text.ShouldNotBe(first.Text);
        // A request that was refused whole has been answered as well.
        var refused = await SendAsync(live, """{"type":"like","user":"ann"}""", "batch-3");
        refused.Status.ShouldBe(400);
        (await SendAsync(live, """{"type":"like","user":"ann"}""", "batch-3")).ShouldBe(refused with { Replayed = true });
    }

    [Fact]
    public async Task Another_body_under_the_key_is_refused_and_not_stored()
    {
        await using var live = await LiveNode.StartAsync();
        var first = await SendAsync(live, Batch, "batch-1");
        foreach (var other in (string[])["""{"type":"click","user":"ann","item":"c"}""", Batch + " ", "not json", "[]"])
        {
            var refused = await SendAsync(live, other, "batch-1");
            refused.Status.ShouldBe(422, other);
            refused.Text.ShouldContain("urn:streaming:idempotency-key-reused");
        }
        ((await StoredAsync(live)).Count, (await live.DeadLettersAsync()).Count).ShouldBe((2, 1));
        (await SendAsync(live, Batch, "batch-1")).ShouldBe(first with { Replayed = true });
    }

    [Fact]
    public async Task Tries_at_once_are_one()
    {
        await using var live = await LiveNode.StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => SendAsync(live, Batch, "batch-1")));
        answers.Select(a => (a.Status, a.Text)).Distinct().ShouldHaveSingleItem().Status.ShouldBe(200);
        answers.Count(a => !a.Replayed).ShouldBe(1);
        (await StoredAsync(live)).Count.ShouldBe(2);
    }

    /// <summary>Whoever gives up is who asks again: what they did not wait for is answered then.</summary>
    [Fact]
    public async Task A_try_that_was_given_up_counts()
    {
        await using var live = await LiveNode.StartAsync();
        var request = Encoding.ASCII.GetBytes($"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: batch-1\r\nContent-Length: {Batch.Length}\r\n\r\n{Batch}");
        // Some are given up before they are read; those are not tries. Each waits for one more answer to somebody else than the one before it.
        var waits = 0;
        var stored = await live.UntilAsync(
            async () =>
            {
                using (var client = new TcpClient(live.Address.Host, live.Address.Port))
                {
                    await client.GetStream().WriteAsync(request);
                    for (var waited = 0; waited < waits; waited++) await live.GetAsync("/healthz");
                }
                waits++;
                return (await StoredAsync(live)).Count;
            }, count => count > 0);
        stored.ShouldBe(2);
        var answer = await SendAsync(live, Batch, "batch-1");
        (answer.Status, answer.Replayed).ShouldBe((200, true));
        (await StoredAsync(live)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Answers_end_with_the_process_and_ids_do_not()
    {
        using var folder = new TemporaryFolder();
        Sent first;
        await using (var before = await LiveNode.StartAsync(folder: folder.Path)) first = await SendAsync(before, Batch, "batch-1");
        await using var live = await LiveNode.StartAsync(folder: folder.Path);
        var again = await SendAsync(live, Batch, "batch-1");
        (again.Status, again.Replayed).ShouldBe((200, false));
        again.Text.ShouldNotBe(first.Text);
        await live.UntilAsync(() => live.GetAsync("/v1/status"), a => a.Json.GetProperty("users").GetProperty("repeats").GetInt64() == 2);
    }

    [Fact]
    public async Task Callers_do_not_meet_each_others_keys()
    {
        using var folder = new TemporaryFolder();
        var keys = folder.Write("keys", "one ingest one-key-0123456789abcdef-000\ntwo ingest two-key-0123456789abcdef-000\n");
        await using var live = await LiveNode.StartAsync(LiveNode.SmallSettings with { Security = new SecuritySettings { KeysFile = keys } });
        (await SendAsync(live, Batch, "1", "one-key-0123456789abcdef-000")).Replayed.ShouldBeFalse();
        var other = await SendAsync(live, Batch, "1", "two-key-0123456789abcdef-000");
        (other.Status, other.Replayed).ShouldBe((200, false));
        (await SendAsync(live, Batch, "1", "two-key-0123456789abcdef-000")).ShouldBe(other with { Replayed = true });
    }

    /// <summary>Of the first batch; the topic also holds what the node itself says.</summary>
    private static async Task<List<string>> StoredAsync(LiveNode live) =>
        [.. (await live.ReadTopicAsync(Topics.Events)).Select(bytes => Encoding.UTF8.GetString(bytes)).Where(text => text.Contains("batch-1#", StringComparison.Ordinal))];

    private sealed record Sent(int Status, string Text, bool Replayed);

    private static async Task<Sent> SendAsync(LiveNode live, string body, string key, string? apiKey = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/events") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", key);
        if (apiKey is not null) request.Headers.Add("X-Api-Key", apiKey);
        using var answer = await live.Http.SendAsync(request);
        return new Sent((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.TryGetValues("Idempotent-Replayed", out var said) && said.Single() == "true");
    }
}

/// <summary>The answers themselves.</summary>
public sealed class IdempotencyKeysTests
{
    private static readonly byte[] Body = "body"u8.ToArray();

    private static IngestOutcome[] At(long offset) => [new IngestOutcome(new LogPosition(0, offset), "id", null)];

    [Fact]
    public async Task A_second_try_waits_for_the_first()
    {
        var keys = new IdempotencyKeys(1 << 20);
        var first = await keys.ClaimAsync("k", Body, default);
        var second = keys.ClaimAsync("k", Body, default).AsTask();
        second.IsCompleted.ShouldBeFalse();
        (await keys.ClaimAsync("k", "other"u8.ToArray(), default)).IsConflict.ShouldBeTrue();
        using (var another = await keys.ClaimAsync("another", Body, default)) another.Answer.ShouldBeNull();
        first.Fulfil(At(7));
        second.IsCompleted.ShouldBeFalse();
        first.Dispose();
        (await second).Answer!.Single().Position.Offset.ShouldBe(7);
        (await keys.ClaimAsync("k", Body, default)).Answer!.Single().Position.Offset.ShouldBe(7);
    }

    [Fact]
    public async Task Where_the_first_fails_the_next_tries()
    {
        var keys = new IdempotencyKeys(1 << 20);
        var first = await keys.ClaimAsync("k", Body, default);
        using var patience = new CancellationTokenSource();
        var impatient = keys.ClaimAsync("k", Body, patience.Token).AsTask();
        var second = keys.ClaimAsync("k", Body, default).AsTask();
        await patience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => impatient);
        first.Dispose();
        using (var claim = await second)
        {
            (claim.Answer, claim.IsConflict).ShouldBe((null, false));
            claim.Fulfil(At(8));
        }
        (await keys.ClaimAsync("k", Body, default)).Answer!.Single().Position.Offset.ShouldBe(8);
        // A key that was never answered is free for another request.
        (await keys.ClaimAsync("free", Body, default)).Dispose();
        using var other = await keys.ClaimAsync("free", "other"u8.ToArray(), default);
        other.IsConflict.ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_kept_is_bounded_and_the_oldest_goes_first()
    {
        const int bytesMax = 64 << 10;
        var keys = new IdempotencyKeys(bytesMax);
        async Task<bool> IsKeptAsync(string key)
        {
            using var claim = await keys.ClaimAsync(key, Body, default);
            return claim.Answer is not null;
        }

        async Task KeepAsync(string key, IngestOutcome[] answer)
        {
            using var claim = await keys.ClaimAsync(key, Body, default);
            claim.Fulfil(answer);
        }

        for (var i = 0; i < 1_000; i++) await KeepAsync($"k{i}", At(i));
        keys.Bytes.ShouldBeInRange(bytesMax - 1_000, bytesMax);
        (await IsKeptAsync("k999"), await IsKeptAsync("k900"), await IsKeptAsync("k0")).ShouldBe((true, true, false));
        // One that is larger than all is answered and not kept, and drives none out.
        await KeepAsync("large", [new IngestOutcome(default, null, new string('x', bytesMax))]);
        (await IsKeptAsync("large"), await IsKeptAsync("k999")).ShouldBe((false, true));
        var none = new IdempotencyKeys(0);
        for (var sent = 0; sent < 2; sent++)
        {
            using var claim = await none.ClaimAsync("k", Body, default);
            (claim.Answer, claim.IsConflict).ShouldBe((null, false));
            claim.Fulfil(At(sent));
        }
    }
}
