using Streaming.Evaluation;

namespace Streaming.Simulation;

/// <summary>A fault planted in the machine itself, which the checker has to find: proof that it can.</summary>
public enum Plant
{
    None,
    /// <summary>Events are acknowledged before they are on the disk.</summary>
    AckBeforeDurable,
    /// <summary>Now and then the store forgets a user's write.</summary>
    LostUpsert,
    /// <summary>The store keeps users that were deleted.</summary>
    UndeletedUser,
    /// <summary>Every restart goes on one record behind what the checkpoint says it has read.</summary>
    RereadRecord,
    /// <summary>Every restart goes on one record ahead of what the checkpoint says it has read.</summary>
    SkippedRecord,
}

/// <summary>
/// How this seed's world is made, and what goes wrong in it. Each seed draws some of the faults and leaves the others out: all of them at
/// once would hide what one alone brings about.
/// </summary>
public sealed record Shape
{
    public required int Partitions { get; init; }
    public required bool SparseOffsets { get; init; }
    public required bool Retains { get; init; }
    public required int Users { get; init; }
    public required int Items { get; init; }
    public required int Clients { get; init; }
    public required int RequestsPerClient { get; init; }
    public required double ThinkMs { get; init; }
    public required long WindowMs { get; init; }
    public required long LateMs { get; init; }
    public required int PendingMax { get; init; }
    public required int ClosedMax { get; init; }
    public required int RoundEventsMax { get; init; }
    public required int RoundListsMax { get; init; }
    public required int MailboxRecordsMax { get; init; }
    public required int CheckpointMs { get; init; }
    public required int CheckpointsKept { get; init; }
    public required int TickMs { get; init; }
    public required double NegativeRate { get; init; }

    public required double DropRate { get; init; }
    public required double DuplicateRate { get; init; }
    public required double NetDelayMs { get; init; }
    public required double DiskDelayMs { get; init; }
    public required double AppendFailRate { get; init; }
    public required double CheckpointFailRate { get; init; }
    public required double ShortReadRate { get; init; }
    public required int ClockJumps { get; init; }

    /// <summary>Lives that end in a crash, at most.</summary>
    public required int Crashes { get; init; }

    /// <summary>Share of the crashes that are power cuts.</summary>
    public required double PowerCutRate { get; init; }

    /// <summary>Share of the crashes after which the newest checkpoint is damaged.</summary>
    public required double DamageRate { get; init; }

    /// <summary>Share of the lives that are stopped in good order.</summary>
    public required double StopRate { get; init; }

    public static Shape Draw(ref Draws draws)
    {
        var kept = 2 + draws.Below(2);
        return new Shape
        {
            Partitions = 1 + draws.Below(4), SparseOffsets = draws.Chance(.5), Retains = draws.Chance(.5),
            Users = Pick(ref draws, 8, 30, 90), Items = Pick(ref draws, 6, 30, 60), Clients = 2 + draws.Below(5),
            RequestsPerClient = Pick(ref draws, 30, 60, 100), ThinkMs = Pick(ref draws, 20, 100, 300),
            WindowMs = Pick(ref draws, 500, 3_000, 20_000), LateMs = Pick(ref draws, 0, 2_000, 60_000), PendingMax = Pick(ref draws, 4, 200),
            ClosedMax = Pick(ref draws, 3, 50), RoundEventsMax = Pick(ref draws, 4, 64, 4096), RoundListsMax = Pick(ref draws, 1, 8, 512),
            MailboxRecordsMax = Pick(ref draws, 1, 8192), CheckpointMs = Pick(ref draws, 200, 1_000, 4_000), CheckpointsKept = kept,
            TickMs = Pick(ref draws, 100, 1_000), NegativeRate = draws.Chance(.8) ? 1 : .5,
            DropRate = Some(ref draws, .2), DuplicateRate = Some(ref draws, .2), NetDelayMs = Pick(ref draws, 0, 5, 200),
            DiskDelayMs = Pick(ref draws, 0, 2, 50), AppendFailRate = draws.Chance(.3) ? draws.Unit() * .02 : 0,
            CheckpointFailRate = draws.Chance(.3) ? draws.Unit() * .02 : 0, ShortReadRate = Some(ref draws, .5),
            ClockJumps = draws.Chance(.5) ? 1 + draws.Below(4) : 0, Crashes = draws.Chance(.1) ? 0 : 1 + draws.Below(12),
            PowerCutRate = Some(ref draws, 1), DamageRate = Some(ref draws, 1), StopRate = Some(ref draws, .4),
        };
    }

    /// <summary>A world in which nothing goes wrong.</summary>
    public static Shape None { get; } = Quiet();

    private static Shape Quiet()
    {
        var draws = new Draws(1);
        return Draw(ref draws) with
        {
            DropRate = 0, DuplicateRate = 0, NetDelayMs = 0, DiskDelayMs = 0, AppendFailRate = 0, CheckpointFailRate = 0, ShortReadRate = 0, ClockJumps = 0,
            Crashes = 0, PowerCutRate = 0, DamageRate = 0, StopRate = 0,
        };
    }

    private static int Pick(ref Draws draws, params ReadOnlySpan<int> from) => from[draws.Below(from.Length)];

    private static double Some(ref Draws draws, double max) => draws.Chance(.5) ? draws.Unit() * max : 0;
}

/// <summary>Draws, one after another, what goes wrong; nothing does any more once it is over.</summary>
public sealed class Faults(Shape shape, ulong seed, Plant planted)
{
    private Draws _draws = new(seed);

    public delegate void WithDraws(ref Draws draws);

    public Plant Planted => planted;

    /// <summary>From here on nothing goes wrong.</summary>
    public bool AreOver { get; set; }

    public void Use(WithDraws what) => what(ref _draws);

    public int Below(int below) => _draws.Below(below);

    public bool OneIn(int n) => _draws.Below(n) == 0;

    public bool Chance(double rate) => !AreOver && rate > 0 && _draws.Chance(rate);

    public TimeSpan Exponential(double meanMs) => TimeSpan.FromMilliseconds(meanMs <= 0 ? 0 : _draws.Exponential(meanMs));

    /// <summary>Mostly as fast as the shape says, at times a stall.</summary>
    public TimeSpan DiskDelay() => AreOver ? TimeSpan.Zero : Exponential(_draws.Chance(.02) ? shape.DiskDelayMs * 30 : shape.DiskDelayMs);

    public TimeSpan NetDelay() => AreOver ? TimeSpan.FromMilliseconds(1) : Exponential(_draws.Chance(.05) ? shape.NetDelayMs * 10 : shape.NetDelayMs);

    public bool AppendFails() => Chance(shape.AppendFailRate);

    public bool CheckpointFails() => Chance(shape.CheckpointFailRate);

    public int ReadMax(int recordsMax) => Chance(shape.ShortReadRate) ? 1 + _draws.Below(Math.Min(recordsMax, 8)) : recordsMax;

    /// <summary>The point at which a life crashes: every order of magnitude alike, so that starts are hit as often as long runs.</summary>
    public long CrashPoint() => (long)Math.Pow(2, _draws.Unit() * 14);
}
