using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Log;
using Streaming.Users;

namespace Streaming.Actors;

/// <summary>Supervision: how a user goes on whose actor threw.</summary>
public sealed partial class UserShard
{
    /// <summary>
    /// An actor that threw may be half changed: its state is built again from the store and the log up to, and without, the record at
    /// hand. Effects of the first run have left already, so those of the second are dropped; so have its lists, which the log does not
    /// tell of: what is known of them is carried over.
    /// </summary>
    private void Restart(Resident resident, LogPosition until)
    {
        _counts = _counts with { Restarts = _counts.Restarts + 1 };
        var user = resident.State.User;
        var state = Load(user) ?? new UserState(user, _parts.Dimension);
        var replay = new ReplayEffects(user);
        // What the first run has asked for before the state was stored.
        if (state.WakeMs > 0) replay.Wakes.Add(user, state.WakeMs);
        var batch = new LogBatch();
        var key = Encoding.UTF8.GetBytes(user);
        var clockMs = _flushedClockMs;
        var weights = _weights;
        Weigh(_flushedWeights);
        using var reader = _parts.Reread(_flushedOffset);
        while (reader.ReadTo(batch, 4096, until.Offset) > 0)
        {
            for (var i = 0; i < batch.Count; i++)
            {
                var source = new LogPosition(Partition, batch.Offset(i));
                AdvanceAgain(state, ref clockMs, batch.TimeMs(i), source, replay);
                // A partition's own records have no key: ticks.
                if (batch.Key(i).IsEmpty && EventParser.TryParse(batch.Value(i).Span, batch.TimeMs(i), out var own, out _) && own.Kind == EventKind.Tick
                    && ChangedWeights.Of(own) is { } said && said.Version > _weights.Version) Weigh(said);
                if (source.Offset <= state.LastApplied.Offset && state.Events > 0) continue;
                if (_poison.Contains(source.Offset) || !batch.Key(i).Span.SequenceEqual(key)) continue;
                if (!EventParser.TryParse(batch.Value(i).Span, batch.TimeMs(i), out var e, out _) || e.User != user) continue;
                if (_parts.Machine.IsTooEarly(e, batch.TimeMs(i)) || _forgotten.Covers(user, e.TimeMs)) continue;
                Again(() => _parts.Machine.Handle(state, e, source, replay));
            }
        }
        Weigh(weights);
        // The record at hand may have moved the clock, and time-outs go before it.
        AdvanceAgain(state, ref clockMs, _clockMs, until, replay);
        CarryListsOver(resident.State, state);
        resident.State = state;
        Touch(resident);
    }

    /// <summary>Wakes the one user as <see cref="WakeDue"/> has done when the clock moved.</summary>
    private void AdvanceAgain(UserState state, ref long clockMs, long recordMs, LogPosition source, ReplayEffects replay)
    {
        if (recordMs <= clockMs) return;
        var nowMs = clockMs = recordMs;
        while (replay.Wakes.TryTake(nowMs, out _, out _)) Again(() => _parts.Machine.OnTime(state, nowMs, source, replay));
    }

    private static void CarryListsOver(UserState from, UserState to)
    {
        to.ListVersion = from.ListVersion;
        to.Lists.Clear();
        to.Lists.AddRange(from.Lists);
    }

    /// <summary>Repeats a step that may have thrown before; its failure is already on record.</summary>
    private static void Again(Action step)
    {
        try
        {
            step();
        }
        catch (Exception problem) when (problem is not OutOfMemoryException)
        {
            // Set aside when it happened first.
        }
    }

    /// <summary>Effects of a replay after a restart: only wake-ups matter.</summary>
    private sealed class ReplayEffects(string user) : IUserEffects
    {
        public WakeQueue Wakes { get; } = new();

        void IUserEffects.Emit(Example example) { }
        void IUserEffects.Emit(Interaction interaction) { }
        void IUserEffects.Refresh(string surface, bool urgent) { }
        void IUserEffects.Wake(long dueMs) => Wakes.Add(user, dueMs);
        void IUserEffects.Reject(string reason) { }
        void IUserEffects.Forget() { }
    }
}
