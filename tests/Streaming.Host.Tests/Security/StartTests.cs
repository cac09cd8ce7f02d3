using Microsoft.AspNetCore.Http;
using Streaming.Core.Settings;
using Streaming.Host.Security;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Security;

/// <summary>What the program itself says and does not say, and what the door costs.</summary>
public sealed class StartTests
{
    [Fact]
    public async Task A_node_open_to_strangers_does_not_start_unless_told_to_and_then_says_so()
    {
        using var folder = new TemporaryFolder();
        string[] node = ["node", "--listen", "0.0.0.0:0", "--data-dir", Path.Combine(folder.Path, "data")];
        var (code, refused) = await StreamingProcess.RunAsync(node);
        using (refused)
        {
            code.ShouldBe(1);
            refused.Stderr.ShouldContain("Security:KeysFile");
            refused.Stderr.ShouldContain("Security:AllowAnonymous=true");
            Directory.Exists(Path.Combine(folder.Path, "data")).ShouldBeFalse();
        }
        using var open = StreamingProcess.Start([.. node, "--set", "Security:AllowAnonymous=true"]);
        (await open.StderrLineAsync("access: OPEN")).ShouldContain("Warning");
        await open.StderrLineAsync("node is up");
        open.Terminate();
        (await open.ExitAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task No_key_and_no_password_is_ever_printed()
    {
        using var folder = new TemporaryFolder();
        const string secret = "a-secret-of-24-characters-and-more";
        var keys = folder.Write("keys", $"web read {secret}\n");
        var password = folder.Write("password", secret);
        string[] validate =
        [
            "validate", "--set", $"Security:KeysFile={keys}", "--set", "Kafka:SecurityProtocol=sasl_plaintext", "--set", "Kafka:SaslUsername=svc",
            "--set", $"Kafka:SaslPasswordFile={password}",
        ];
        var (sound, first) = await StreamingProcess.RunAsync(validate);
        using (first)
        {
            sound.ShouldBe(0, first.Stderr);
            (first.Stdout + first.Stderr).ShouldNotContain(secret);
        }
        File.AppendAllText(keys, $"other write {secret}x\n");
        var (bad, second) = await StreamingProcess.RunAsync(validate);
        using (second)
        {
            bad.ShouldBe(1);
            second.Stderr.ShouldContain($"{keys}: line 2");
            (second.Stdout + second.Stderr).ShouldNotContain(secret);
        }
        var (set, third) = await StreamingProcess.RunAsync("validate", "--set", $"Kafka:SaslPassword={secret}", "--set", $"Security:Keys={secret}");
        using (third)
        {
            set.ShouldBe(1);
            third.Stderr.ShouldContain("Kafka:SaslPassword: there is no such setting");
            third.Stderr.ShouldNotContain(secret);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_door_allocates_nothing_for_a_request_that_passes(bool withKeys)
    {
        const string key = "a-key-0123456789abcdef0123456789";
        var keys = new ApiKeys(new SecuritySettings(), withKeys ? $"web read {key}" : null, _ => { });
        using var limits = new RateLimits(new SecuritySettings());
        var passed = 0;
        var door = new AccessControl(_ =>
        {
            passed++;
            return Task.CompletedTask;
        }, keys, limits, adminApart: false);
        var context = new DefaultHttpContext();
        context.Request.Headers.Authorization = "Bearer " + key;
        for (var i = 0; i < 1000; i++) door.InvokeAsync(context);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) door.InvokeAsync(context);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
        passed.ShouldBe(2000);
    }
}
