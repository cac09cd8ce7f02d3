using Streaming.Suites;
using System.Diagnostics;
using Streaming.Core.Events;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;
using Xunit.Abstractions;

namespace Streaming.Users.Tests;

/// <summary>Allocation budgets gate; times are only reported.</summary>
public sealed class BudgetTests(ITestOutputHelper output)
{
    private const int Users = 1000, Items = 500, Dimension = 16;

    private readonly FakeModels _models = MakeModels();
    private readonly FakeEffects _effects = new() { Keeps = false };
    private readonly UserState[] _users = [.. Enumerable.Range(0, Users).Select(u => new UserState($"u{u}", Dimension))];

    private static FakeModels MakeModels()
    {
        var models = new FakeModels(Dimension / 4) { RecordsLearning = false };
        for (var i = 0; i < Items; i++)
        {
            models.AddItem($"i{i}");
            models.Vectors[Core.Ids.StableHash.Of($"i{i}")] = [.. Enumerable.Range(0, Dimension).Select(d => MathF.Sin(i * 31 + d))];
        }
        return models;
    }

    /// <summary>Impressions with a click after every fourth, users in turn.</summary>
    private UserEvent[] Events(int count)
    {
        var events = new UserEvent[count];
        for (var i = 0; i < count; i++)
        {
            var turn = i / 5;
            var user = turn % Users;
            var isClick = i % 5 == 4;
            var item = $"i{(turn * 37 + (isClick ? i - 2 : i)) % Items}";
            events[i] = Bench.Event(isClick ? EventKind.Click : EventKind.Impression, turn / Users * 60_000L + i % 5 * 1000, item) with
            {
                User = $"u{user}", Surface = "home", RequestId = $"r{turn}", EventId = $"e{i}", Position = i % 5,
            };
        }
        return events;
    }

    private void Feed(UserMachine machine, ReadOnlySpan<UserEvent> events, int from)
    {
        for (var i = 0; i < events.Length; i++) machine.Handle(_users[(from + i) / 5 % Users], events[i], new LogPosition(0, from + i), _effects);
    }

    [Fact]
    public void An_impression_and_a_click_allocate_what_leaves_with_them_and_little_more()
    {
        var machine = new UserMachine(new UsersSettings(), _models, 1);
        // Until every list has grown to its bound: what users keep is theirs once.
        var events = Events(250_000);
        Feed(machine, events.AsSpan(0, 200_000), 0);
        _users.ShouldAllBe(u => u.Closed.Count == new UsersSettings().ClosedMax);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Feed(machine, events.AsSpan(200_000), 200_000);
        var bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / 10_000;
        output.WriteLine($"{bytes} bytes per 4 impressions and 1 click; {_users.Average(u => u.ApproxBytes):0} bytes a user");
        // Per impression: its example (~190) with 25 features (124) and the vector (88); what waits is packed where others waited before. Per click:
        // an interaction (~110) and up to 20 recent items (~190). Marks of items that still grow to their bound are in it.
        bytes.ShouldBeLessThan(3_300);
    }

    [Fact]
    public void Throughput_is_reported()
    {
        var machine = new UserMachine(new UsersSettings(), _models, 1);
        var events = Events(120_000);
        Feed(machine, events.AsSpan(0, 60_000), 0);
        var (clock, cpu) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        Feed(machine, events.AsSpan(60_000), 60_000);
        var (wallS, cpuS) = (clock.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
        output.WriteLine($"{60_000 / wallS:0} events/s by the wall, {60_000 / cpuS:0} by the process's CPU (4 impressions to 1 click, 25 features, dimension {Dimension}, {Users} users)");
        _effects.Emitted.ShouldBeGreaterThan(60_000);

        var writer = new ByteWriter(1 << 20);
        cpu = Environment.CpuUsage.TotalTime;
        long bytes = 0;
        foreach (var user in _users)
        {
            writer.Clear();
            UserStateCodec.Write(user, writer);
            bytes += writer.Length;
            var back = UserStateCodec.Read(writer.WrittenSpan, Dimension, user.User);
            back.Marks.Count.ShouldBe(user.Marks.Count);
        }
        output.WriteLine($"{(Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / Users:0.0} us to write and read a user of {bytes / Users} bytes");
    }

    [Fact]
    public void Writing_a_state_allocates_nothing()
    {
        Feed(new UserMachine(new UsersSettings(), _models, 1), Events(20_000), 0);
        var writer = new ByteWriter(1 << 20);
        UserStateCodec.Write(_users[0], writer);
        Allocated.Bytes(() =>
        {
            for (var u = 0; u < 100; u++)
            {
                writer.Clear();
                UserStateCodec.Write(_users[u], writer);
            }
        }).ShouldBe(0);
    }
}
