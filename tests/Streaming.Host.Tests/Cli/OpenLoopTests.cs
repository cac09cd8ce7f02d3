using System.Text;
using Streaming.Host.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Cli;

[Collection(NodeCollection.Name)]
public sealed class OpenLoopTests(SharedNode shared)
{
    [Fact]
    public void Every_request_that_was_due_is_sent_answered_and_timed_from_when_it_was_due()
    {
        if (!OperatingSystem.IsLinux()) return; // The load generator says so itself.
        var (found, missing, early) = (0, 0, 0);
        var good = Stream("/healthz", 200, ok => found += ok ? 1 : 0);
        var bad = Stream("/v1/nowhere", 50, ok => missing += ok ? 0 : 1);
        using var load = new OpenLoop(shared.Live.Address.Port, 2, good, bad);
        load.Run(TimeSpan.FromSeconds(1), CancellationToken.None);
        found.ShouldBe(200);
        missing.ShouldBe(50);
        early.ShouldBe(0);

        OpenLoop.Stream Stream(string path, double perSecond, Action<bool> done) => new(
            [Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")], perSecond, (due, end, status, bytes) =>
            {
                if (end <= due || bytes == 0) early++;
                done(status == 200);
            });
    }
}
