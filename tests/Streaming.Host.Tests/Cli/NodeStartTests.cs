using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Cli;

/// <summary>How a node starts, fails to start, and stops.</summary>
public sealed class NodeStartTests
{
    [Fact]
    public async Task A_taken_port_is_named()
    {
        using var folder = new TemporaryFolder();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var listen = taken.LocalEndpoint.ToString()!;
        await FailsAsync($"streaming: cannot listen on {listen}:", "give another --listen", "node", "--data-dir", folder.Path, "--listen", listen);
    }

    [Fact]
    public async Task A_folder_in_use_is_named()
    {
        using var folder = new TemporaryFolder();
        await using var first = await LiveNode.StartAsync(folder: folder.Path);
        await FailsAsync($"streaming: another node uses {folder.Path}", "give another --data-dir", "node", "--data-dir", folder.Path, "--listen", "127.0.0.1:0");
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_named()
    {
        using var folder = new TemporaryFolder();
        var under = Path.Combine(folder.Write("file", ""), "data");
        await FailsAsync($"streaming: the data folder {under} cannot be used:", "give another --data-dir", "node", "--data-dir", under, "--listen", "127.0.0.1:0");
    }

    [Fact]
    public async Task A_broker_that_does_not_answer_is_named()
    {
        using var folder = new TemporaryFolder();
        await FailsAsync(
            "127.0.0.1:1", "Kafka", "node", "--kafka", "127.0.0.1:1", "--set", "Kafka:TimeoutMs=1000", "--data-dir", folder.Path, "--listen", "127.0.0.1:0");
    }

    [Fact]
    public async Task An_address_that_is_none_is_named() =>
        await FailsAsync("Serving:Listen: is '8080'", "it must be IP:PORT", "node", "--listen", "8080");

    [Fact]
    public async Task A_trainer_cannot_share_the_embedded_log()
    {
        using var folder = new TemporaryFolder();
        string[] trainer = ["node", "--role", "trainer", "--data-dir", folder.Path, "--listen", "127.0.0.1:0"];
        await FailsAsync("the embedded log can be open in one process only", "--kafka HOST:PORT", [.. trainer, "--set", "Deep:Models:0=din"]);
        await FailsAsync("Deep:Models names no model to learn", "din", trainer);
        await FailsAsync("has users without ingest, serve", "'trainer' can be one of its own", "node", "--role", "users,trainer", "--data-dir", folder.Path);
    }

    [Fact]
    public async Task A_changed_number_of_partitions_is_refused()
    {
        using var folder = new TemporaryFolder();
        await using (await LiveNode.StartAsync(folder: folder.Path))
        {
            // Two partitions, and a checkpoint of them.
        }
        await FailsAsync("partitions", "Log:Partitions", "node", "--data-dir", folder.Path, "--listen", "127.0.0.1:0", "--set", "Log:Partitions=3");
    }

    [Fact]
    public async Task On_sigterm_a_node_drains_and_goes_on_where_it_was()
    {
        using var folder = new TemporaryFolder();
        string[] arguments = ["node", "--data-dir", folder.Path, "--listen", "127.0.0.1:0", "--json"];
        using (var node = StreamingProcess.Start(arguments))
        {
            using var http = new HttpClient { BaseAddress = await AddressAsync(node) };
            using var posted = await http.PostAsync("/v1/events", new StringContent("""{"type":"click","user":"u","item":"i"}""", Encoding.UTF8, "application/json"));
            posted.StatusCode.ShouldBe(HttpStatusCode.OK);
            node.Terminate();
            (await node.ExitAsync()).ShouldBe(0, node.Stderr);
            await node.StderrLineAsync("node stopped: 1 events applied");
            node.Json.GetProperty("events").GetInt64().ShouldBe(1);
        }
        using (var node = StreamingProcess.Start(arguments))
        {
            using var http = new HttpClient { BaseAddress = await AddressAsync(node) };
            (await http.GetStringAsync("/v1/users/u")).ShouldContain("\"events\":1");
            (await node.StderrLineAsync("node is up")).ShouldContain("restored from checkpoint");
            node.Terminate();
            (await node.ExitAsync()).ShouldBe(0, node.Stderr);
        }
    }

    private static async Task<Uri> AddressAsync(StreamingProcess node) =>
        new(Regex.Match(await node.StderrLineAsync("listening on http://"), @"http://[\d.:]+").Value);

    private static async Task FailsAsync(string reason, string advice, params string[] arguments)
    {
        var (code, process) = await StreamingProcess.RunAsync(arguments);
        using var _ = process;
        code.ShouldBe(1, process.Stderr);
        process.Stderr.ShouldContain(reason);
        process.Stderr.ShouldContain(advice);
        process.Stderr.ShouldNotContain("   at ");
        process.Stdout.ShouldBeEmpty();
    }
}
