using System.Text;
using System.Text.Json;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Deletion;

/// <summary>A deleted user is looked for in every byte of the data folder.</summary>
public sealed class DeletionTests
{
    private const string User = "the-deleted-person-17";

    /// <summary>Checkpoints and erasure come one after another.</summary>
    private static readonly StreamingSettings Quick = LiveNode.SmallSettings with
    {
        Node = LiveNode.SmallSettings.Node with { CheckpointIntervalMs = 100, ErasureIntervalMs = 0 },
        Storage = LiveNode.SmallSettings.Storage with { LogSegmentMb = 4, LogPageKb = 64 },
    };

    [Fact]
    public async Task Nothing_of_a_deleted_user_is_left_in_any_file_and_others_lose_nothing()
    {
        using var folder = new TemporaryFolder();
        await using (var live = await LiveNode.StartAsync(Quick, folder.Path))
        {
            await FillAsync(live);
            await CheckpointsAsync(live, 3);
            var before = Files(folder, User);
            foreach (var part in new[] { "log/events", "log/examples", "log/dead-letter", "users/log", "feeds/log" })
                before.ShouldContain(file => file.StartsWith(part), $"this test would see nothing: {string.Join(", ", before)}");

            var answer = await live.DeleteAsync($"/v1/users/{User}");
            answer.Status.ShouldBe(200, answer.Text);
            answer.Json.GetProperty("applied").GetBoolean().ShouldBeTrue();
            var path = answer.Json.GetProperty("receipt").GetString()!;
            (await live.GetAsync($"/v1/users/{User}")).ShouldBeProblem(404, "unknown-user");
            (await live.GetAsync($"/v1/feed/{User}")).Json.GetProperty("source").GetString().ShouldNotBe("own");

            var receipt = (await live.UntilAsync(() => live.GetAsync(path), a => a.Status == 200 && a.Json.GetProperty("state").GetString() == "complete")).Json;
            Files(folder, User).ShouldBeEmpty("while the node runs");
            receipt.GetRawText().ShouldNotContain(User);
            receipt.GetProperty("user_sha256").GetString().ShouldBe(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(User))));
            var removed = receipt.GetProperty("removed");
            // Seven events of this test and what the node served, the deletion itself among them.
            removed.GetProperty("events").GetInt64().ShouldBeGreaterThanOrEqualTo(8);
            removed.GetProperty("examples").GetInt64().ShouldBeGreaterThan(0);
            removed.GetProperty("dead_letters").GetInt64().ShouldBe(2);
            removed.GetProperty("state_versions").GetInt64().ShouldBeGreaterThan(0);
            removed.GetProperty("list_versions").GetInt64().ShouldBeGreaterThan(0);
            receipt.GetProperty("checkpoint").GetInt64().ShouldBeGreaterThan(3);
            receipt.GetProperty("completed_ms").GetInt64().ShouldBeGreaterThanOrEqualTo(receipt.GetProperty("applied_ms").GetInt64());
            receipt.GetProperty("remains").GetArrayLength().ShouldBe(2);
            (await live.GetAsync("/v1/status")).Json.GetProperty("deletions_pending").GetInt32().ShouldBe(0);
            await OthersAsync(live);
        }
        Files(folder, User).ShouldBeEmpty("after the stop");

        await using var again = await LiveNode.StartAsync(Quick, folder.Path);
        again.Node.Restored.ShouldNotBeNull();
        await OthersAsync(again);
        (await again.GetAsync($"/v1/users/{User}")).Status.ShouldBe(404);
        (await again.GetAsync($"/v1/users/{User}/deletion")).Json.GetProperty("state").GetString().ShouldBe("complete");
        (await again.GetAsync("/v1/users/never-deleted/deletion")).ShouldBeProblem(404, "unknown-deletion");
    }

    [Fact]
    public async Task The_state_built_again_from_an_erased_log_is_that_of_the_others()
    {
        using var folder = new TemporaryFolder();
        await using (var live = await LiveNode.StartAsync(Quick, folder.Path))
        {
            await FillAsync(live);
            await live.DeleteAsync($"/v1/users/{User}");
            await CompleteAsync(live, User);
        }
        foreach (var part in new[] { "checkpoints", "users", "feeds" }) Directory.Delete(Path.Combine(folder.Path, part), recursive: true);
        await using var again = await LiveNode.StartAsync(Quick, folder.Path);
        again.Node.Restored.ShouldBeNull();
        var seen = await again.UntilAsync(() => again.GetAsync("/v1/users/other-3"), a => a.Status == 200 && a.Json.GetProperty("positives").GetInt64() == 2);
        seen.Status.ShouldBe(200);
        (await again.GetAsync($"/v1/users/{User}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task Late_events_of_a_deleted_user_go_too_and_a_user_who_comes_back_keeps_the_new_life()
    {
        using var folder = new TemporaryFolder();
        await using var live = await LiveNode.StartAsync(Quick, folder.Path);
        await FillAsync(live);
        await live.EventAsync($$"""{"type":"user_delete","user":"{{User}}"}""");
        await CompleteAsync(live, User);
        // The sender was late: before the deletion, after it in the log.
        var yesterday = DateTimeOffset.UtcNow.AddDays(-1).ToUnixTimeMilliseconds();
        await live.EventAsync($$"""{"type":"click","user":"{{User}}","item":"base-1","time":{{yesterday}},"session_id":"a-late-session"}""");
        await live.UntilAsync(() => live.GetAsync($"/v1/users/{User}/deletion"), a => a.Json.GetProperty("state").GetString() == "pending");
        await live.FeedAfterAsync(User, $$"""{"type":"click","user":"{{User}}","item":"base-2","session_id":"a-new-session"}""");
        await CompleteAsync(live, User);
        Files(folder, "a-late-session").ShouldBeEmpty();
        Files(folder, "a-new-session").ShouldNotBeEmpty();
        var back = (await live.GetAsync($"/v1/users/{User}")).Json;
        back.GetProperty("positives").GetInt64().ShouldBe(1);
        (await live.GetAsync($"/v1/feed/{User}")).Json.GetProperty("source").GetString().ShouldBe("own");
    }

    [Fact]
    public async Task A_deletion_that_was_under_way_at_the_stop_goes_on_after_the_start()
    {
        using var folder = new TemporaryFolder();
        var slow = Quick with { Node = Quick.Node with { CheckpointIntervalMs = 86_400_000 } };
        await using (var live = await LiveNode.StartAsync(slow, folder.Path))
        {
            await FillAsync(live);
            (await live.DeleteAsync($"/v1/users/{User}")).Status.ShouldBe(200);
            (await live.GetAsync($"/v1/users/{User}/deletion")).Json.GetProperty("state").GetString().ShouldBe("pending");
        }
        Files(folder, User).ShouldContain(Path.Combine("deletions", "pending.json"));
        await using var again = await LiveNode.StartAsync(Quick, folder.Path);
        await CompleteAsync(again, User);
        Files(folder, User).ShouldBeEmpty();
    }

    private static async Task FillAsync(LiveNode live)
    {
        var items = Enumerable.Range(0, 20).Select(i => $$"""{"id":"base-{{i}}","tags":["tag-{{i % 3}}"],"author":"author-{{i % 5}}"}""");
        (await live.PostLinesAsync("/v1/items", items)).Status.ShouldBe(200);
        foreach (var user in Enumerable.Range(0, 40).Select(i => $"other-{i}").Append(User))
        {
            await live.PutAsync($"/v1/users/{user}", """{"interests":["tag-1"],"attributes":{"country":"nl"}}""");
            (await live.PostLinesAsync(
                "/v1/events",
                $$"""{"type":"impression","user":"{{user}}","items":["base-1","base-2","base-3"]}""",
                $$"""{"type":"click","user":"{{user}}","item":"base-1"}""",
                $$"""{"type":"search","user":"{{user}}","query":"what {{user}} wants"}""",
                $$"""{"type":"like","user":"{{user}}","item":"base-7"}""")).Status.ShouldBe(200);
        }
        // Set aside: by its form at the door, and by the actor.
        await live.PostAsync("/v1/events", $$"""{"type":"like","user":"{{User}}"}""");
        await live.EventAsync($$"""{"type":"without_a_weight","user":"{{User}}","item":"base-1"}""");
        await live.FeedAfterAsync(User, $$"""{"type":"dislike","user":"{{User}}","item":"base-4"}""");
        (await live.GetAsync($"/v1/feed/{User}")).Json.GetProperty("source").GetString().ShouldBe("own");
        await live.UntilAsync(live.DeadLettersAsync, letters => letters.Count >= 2);
    }

    private static async Task OthersAsync(LiveNode live)
    {
        for (var i = 0; i < 40; i++)
        {
            (await live.GetAsync($"/v1/users/other-{i}")).Json.GetProperty("positives").GetInt64().ShouldBe(2);
            (await live.GetAsync($"/v1/feed/other-{i}")).Json.GetProperty("source").GetString().ShouldBe("own");
        }
        (await live.ReadTopicAsync(Core.Log.Topics.Events)).Count(bytes => Encoding.UTF8.GetString(bytes).Contains("\"other-")).ShouldBeGreaterThanOrEqualTo(40 * 5);
    }

    private static async Task CheckpointsAsync(LiveNode live, int more)
    {
        var from = await IdAsync(live);
        await live.UntilAsync(() => IdAsync(live), id => id >= from + more);
    }

    private static async Task<long> IdAsync(LiveNode live) => (await live.GetAsync("/v1/status")).Json.GetProperty("checkpoint_id").GetInt64();

    private static Task CompleteAsync(LiveNode live, string user) =>
        live.UntilAsync(() => live.GetAsync($"/v1/users/{user}/deletion"), a => a.Status == 200 && a.Json.GetProperty("state").GetString() == "complete");

    private static List<string> Files(TemporaryFolder folder, string text) =>
        [.. Directory.EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories).Where(path => Holds(path, text)).Select(path => Path.GetRelativePath(folder.Path, path))];

    private static bool Holds(string path, string text)
    {
        if (Path.GetFileName(path) is "lock" or "in-use") return false;
        while (true)
        {
            try
            {
                return HoldsNow(path, text);
            }
            catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException)
            {
                return false;
            }
            catch (IOException)
            {
                Thread.Yield(); // a checkpoint is writing it
            }
        }
    }

    private static bool HoldsNow(string path, string text)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[file.Length];
        file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0 || bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(text)) >= 0;
    }
}
