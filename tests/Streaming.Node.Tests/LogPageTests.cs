using System.Text;
using Streaming.Core.Log;
using Streaming.Storage;

namespace Streaming.Node.Tests;

/// <summary>Lists of operators that grow with the log: a page costs a page.</summary>
public sealed class LogPageTests : IDisposable
{
    private const int Many = 40, Few = 3;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("streaming-test-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_page_of_the_audit_reads_no_other_change() => await LiveAsync(async (node, log) =>
    {
        for (var i = 0; i < Many; i++) await node.Experiments.ChangeAsync("ann", "", null, before => before with { Testers = [$"t{i}"] });
        var (seen, before) = (new List<long>(), long.MaxValue);
        while (true)
        {
            var sofar = log.Read(Topics.Experiments);
            var page = await node.Experiments.AuditAsync(Few, before);
            (log.Read(Topics.Experiments) - sofar).ShouldBe(page.Count);
            if (page.Count == 0) break;
            seen.AddRange(page.Select(e => e.Version));
            before = page[^1].Offset;
            // What comes meanwhile is on no page behind.
            if (seen.Count == 2 * Few) await node.Experiments.ChangeAsync("bob", "", null, definitions => definitions with { Testers = ["late"] });
        }
        seen.ShouldBe(Enumerable.Range(1, Many).Select(i => (long)i).Reverse());
    });

    [Fact]
    public async Task A_page_of_the_dead_letters_reads_no_other_letter() => await LiveAsync(async (node, log) =>
    {
        Task SetAsideAsync(params int[] which) => node.Ingest.EventsAsync([.. which.Select(i => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes($"bad {i}"))]);
        await SetAsideAsync([.. Enumerable.Range(0, Many)]);
        var seen = new List<string>();
        for (long? before = long.MaxValue; before is not null;)
        {
            // The first call looks where the letters lie.
            if (seen.Count == 0) await node.DeadLetters.NewestAsync(1);
            var sofar = log.Read(Topics.DeadLetter);
            var page = await node.DeadLetters.NewestAsync(Few, before.Value);
            // The one that came meanwhile is noted, and on no page behind.
            (log.Read(Topics.DeadLetter) - sofar).ShouldBe(page.Letters.Count + (seen.Count == 2 * Few ? 1 : 0));
            seen.AddRange(page.Letters.Select(l => Encoding.UTF8.GetString(l.Letter.Payload.Span)));
            before = page.Next;
            if (seen.Count == 2 * Few) await SetAsideAsync(Many);
        }
        seen.ShouldBe(Enumerable.Range(0, Many).Select(i => $"bad {i}").Reverse());
    });

    private async Task LiveAsync(Func<StreamingNode, CountedLog, Task> test)
    {
        await using var log = new FasterEventLog(Path.Combine(_folder.FullName, "log"), NodeRig.Settings.Log, NodeRig.Settings.Storage, TimeProvider.System);
        var counted = new CountedLog(log);
        await using var rig = await NodeRig.OpenAsync(_folder.FullName, log: counted);
        using var stop = new CancellationTokenSource();
        var running = rig.Node.RunAsync(stop.Token);
        try
        {
            await test(rig.Node, counted);
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }
}
