using System.Text;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Host.Cli.Chaos;
using Streaming.Host.Tests.Cli;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Faults;

/// <summary>The chaos verb, and whether its check sees what it is there to see.</summary>
public sealed class ChaosTests : IDisposable
{
    private static readonly StreamingSettings Settings = (LiveNode.SmallSettings with { Users = new UsersSettings { MarksMax = 100_000 } }).Resolved();

    private readonly TemporaryFolder _folder = new();
    private readonly ChaosLedger _ledger = new(sender: 3, users: 4);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_node_killed_again_and_again_loses_nothing_and_doubles_nothing()
    {
        var (code, process) = await StreamingProcess.RunAsync("chaos", "--seconds", "5", "--events-per-s", "200", "--seed", "2", "--json");
        using var _ = process;
        code.ShouldBe(0, process.Stderr);
        var figures = process.Json;
        figures.GetProperty("kills").GetInt32().ShouldBeGreaterThanOrEqualTo(2);
        figures.GetProperty("fresh_starts").GetInt32().ShouldBeGreaterThanOrEqualTo(1);
        figures.GetProperty("accepted").GetInt64().ShouldBeGreaterThan(0);
        foreach (var bad in (string[])["lost", "doubled", "examples_lost", "examples_doubled", "unknown"]) figures.GetProperty(bad).GetInt64().ShouldBe(0, bad);
        figures.GetProperty("applied").GetInt64().ShouldBe(figures.GetProperty("accepted").GetInt64());
    }

    [Fact]
    public async Task What_is_whole_is_found_whole()
    {
        await TakeAsync(AddEach(50), all => all);
        var outcome = await CheckAsync();
        outcome.Findings.ShouldBeEmpty();
        (outcome.Accepted, outcome.Applied, outcome.Refused, outcome.DeadLetters, outcome.Holds).ShouldBe((150L, 150L, 50L, 100L, true));
    }

    [Fact]
    public async Task A_record_that_came_twice_is_no_doubling()
    {
        await TakeAsync(AddEach(5), all => [.. all, .. all]);
        var outcome = await CheckAsync();
        outcome.Findings.ShouldBeEmpty();
        (outcome.Accepted, outcome.Doubled, outcome.Resent).ShouldBe((15L, 0L, 15L));
    }

    [Fact]
    public async Task An_acknowledged_event_that_never_reached_the_log_is_lost()
    {
        await TakeAsync(AddEach(5), all => all);
        _ledger.Answer(_ledger.Add(ChaosKind.Click), ChaosAnswer.Acknowledged);
        (await LostAsync()).ShouldContain("was acknowledged and is not in the log");
    }

    [Fact]
    public async Task An_event_without_an_answer_may_be_there_or_not()
    {
        var sent = _ledger.Add(ChaosKind.Click);
        _ledger.Add(ChaosKind.Click);
        await TakeAsync([], _ => [_ledger.Json(sent)]);
        var outcome = await CheckAsync();
        (outcome.Unknown, outcome.UnknownInLog, outcome.Applied, outcome.Lost, outcome.Doubled).ShouldBe((2L, 1L, 1L, 0L, 0L));
    }

    /// <summary>The node drops it as a repeat of another event: it is in the log and never reaches the state.</summary>
    [Fact]
    public async Task An_event_that_is_in_the_log_and_not_in_the_state_is_lost()
    {
        var number = _ledger.Add(ChaosKind.Click);
        var id = new ChaosId(3, number);
        await TakeAsync([number], all => [$$"""{"type":"search","user":"{{_ledger.UserOf(number)}}","query":"x","event_id":"{{id}}"}""", .. all]);
        (await LostAsync()).ShouldContain("is in the log and not in the user's state");
    }

    [Fact]
    public async Task A_bad_event_that_was_not_set_aside_is_lost()
    {
        await TakeAsync(AddEach(2), all => all);
        _ledger.Answer(_ledger.Add(ChaosKind.Malformed), ChaosAnswer.Refused);
        (await LostAsync()).ShouldContain("is not among what was set aside");
    }

    /// <summary>The same event under another id: to the node it is another one, to the check it is one applied twice.</summary>
    [Theory]
    [InlineData(0, "was applied 2 times")]
    [InlineData(1, "was applied 2 times")]
    public async Task An_event_that_is_in_the_state_twice_is_doubled(int kind, string how)
    {
        var number = _ledger.Add((ChaosKind)kind);
        await TakeAsync([number], all => [.. all, all[0].Replace("\"event_id\":\"", "\"event_id\":\"again-", StringComparison.Ordinal)]);
        var outcome = await CheckAsync();
        outcome.Holds.ShouldBeFalse();
        outcome.Doubled.ShouldBe(1);
        outcome.Findings.ShouldContain(f => f.Contains(how));
    }

    /// <summary>An event of a user that no item shows: only the user's own count tells.</summary>
    [Fact]
    public async Task A_count_that_the_items_do_not_explain_is_doubled()
    {
        var number = _ledger.Add(ChaosKind.Click);
        await TakeAsync([number], all => [.. all, $$"""{"type":"search","user":"{{_ledger.UserOf(number)}}","query":"x"}"""]);
        (await CheckAsync()).Doubled.ShouldBe(1);
    }

    private int[] AddEach(int count) =>
        [.. Enumerable.Range(0, count).SelectMany(_ => (int[])[_ledger.Add(ChaosKind.Impression), _ledger.Add(ChaosKind.Click), _ledger.Add(ChaosKind.Malformed), _ledger.Add(ChaosKind.Unweighted)])];

    /// <summary>Has a node take events, and notes what it answered for each of them.</summary>
    private async Task TakeAsync(IReadOnlyList<int> events, Func<IReadOnlyList<string>, IReadOnlyList<string>> sent)
    {
        await using var live = await LiveNode.StartAsync(Settings, _folder.Path);
        var outcomes = await live.Node.Ingest.EventsAsync([.. sent([.. events.Select(_ledger.Json)]).Select(json => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(json))]);
        for (var i = 0; i < events.Count; i++) _ledger.Answer(events[i], outcomes[i].Problem is null ? ChaosAnswer.Acknowledged : ChaosAnswer.Refused);
    }

    private Task<ChaosOutcome> CheckAsync() => ChaosRun.CheckAsync(Settings, _folder.Path, [_ledger], _ => { }, default);

    private async Task<string> LostAsync()
    {
        var outcome = await CheckAsync();
        outcome.Lost.ShouldBe(1);
        outcome.Holds.ShouldBeFalse();
        return string.Join('\n', outcome.Findings);
    }
}
