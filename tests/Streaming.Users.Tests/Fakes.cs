using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Users.Tests;

/// <summary>25 features that depend on the user's state, so that anything captured at the wrong moment shows.</summary>
internal sealed class FakeModels(int dimension = 4) : IUserModels
{
    public const int FeatureCount = 25;

    public ItemCatalog Catalog { get; } = new();
    public Dictionary<ulong, float[]> Vectors { get; } = [];
    public List<(ulong Item, float Label, float Weight)> Learned { get; } = [];
    public bool RecordsLearning { get; init; } = true;

    public IItemCatalog Items => Catalog;
    public string Versions { get; set; } = "ftrl:1";

    public void Features(UserState user, ulong itemKey, in ShownContext context, FeatureBuffer into)
    {
        into.Clear();
        into.Add((uint)itemKey);
        into.Add((uint)user.Positives);
        into.Add((uint)user.Impressions);
        into.Add((uint)(context.Position + 1), 0.5f);
        into.Add((uint)user.GetMarks(itemKey).Seen);
        into.Add((uint)user.Session.Actions.Count);
        for (uint i = 6; i < FeatureCount; i++) into.Add((uint)(itemKey >> 32) + i);
    }

    public bool TryItemVector(ulong itemKey, Span<float> into)
    {
        if (!Vectors.TryGetValue(itemKey, out var vector)) return false;
        vector.CopyTo(into);
        return true;
    }

    public void LearnUser(UserState user, ulong itemKey, float label, float weight)
    {
        if (RecordsLearning) Learned.Add((itemKey, label, weight));
        for (var i = 0; i < dimension; i++) user.Embedding[i] += 0.1f * (label - 0.5f) * (((itemKey >> (8 * i)) & 0xff) / 255f + 0.1f);
        user.EmbeddingG2 += 0.01f;
    }

    /// <summary>An item with tags, an author and a unit-ish vector drawn from its id.</summary>
    public void AddItem(string id)
    {
        var hash = StableHash.Of(id);
        Catalog.Apply(new ItemChange(id, new Item(id) { Tags = [$"t{hash % 7}", $"t{hash % 5}"], Categories = [$"c{hash % 3}"], Author = $"a{hash % 11}" }, 1));
        Vectors[hash] = [.. Enumerable.Range(0, dimension).Select(d => (float)StableHash.Unit(StableHash.Combine(hash, (ulong)d + 1)) - 0.5f)];
    }
}

internal static class StateReading
{
    public static ItemMarks GetMarks(this UserState state, ulong itemKey) => state.Marks.GetValueOrDefault(itemKey);
    public static ItemMarks MarksOf(this UserState state, string item) => state.Marks.GetValueOrDefault(StableHash.Of(item));
}

/// <summary>Notes everything; <see cref="Keeps"/> off counts only, for measurements.</summary>
internal sealed class FakeEffects : IUserEffects
{
    public bool Keeps { get; init; } = true;
    public long Emitted { get; private set; }
    public List<Example> Examples { get; } = [];
    public List<Interaction> Interactions { get; } = [];
    public List<(string Surface, bool Urgent)> Refreshes { get; } = [];
    public List<long> Wakes { get; } = [];
    public List<string> Rejects { get; } = [];
    public int Forgotten { get; private set; }

    public void Emit(Example example) { Emitted++; if (Keeps) Examples.Add(example); }
    public void Emit(Interaction interaction) { Emitted++; if (Keeps) Interactions.Add(interaction); }
    public void Refresh(string surface, bool urgent) { if (Keeps) Refreshes.Add((surface, urgent)); }
    public void Wake(long dueMs) { if (Keeps) Wakes.Add(dueMs); }
    public void Reject(string reason) => Rejects.Add(reason);
    public void Forget() => Forgotten++;
}

/// <summary>One user, one machine, a log position that counts up.</summary>
internal sealed class Bench
{
    public const int Dimension = 4;

    /// <summary>Hand-worked times count in ms from here.</summary>
    public const long T0 = 1_700_000_000_000;

    private long _offset;

    public Bench(UsersSettings? settings = null, long seed = 1)
    {
        Settings = settings ?? new UsersSettings();
        Machine = new UserMachine(Settings, Models, seed);
        State = new UserState("u", Dimension);
    }

    public UsersSettings Settings { get; }
    public FakeModels Models { get; } = new(Dimension);
    public FakeEffects Effects { get; } = new();
    public UserMachine Machine { get; }
    public UserState State { get; set; }

    /// <summary>Examples as "item:label@ms", with "!" for corrections, in order of release.</summary>
    public string Labels => string.Join(" ", Effects.Examples.Select(x =>
        $"{x.ItemId}:{x.Label:0}@{x.LabelMs - T0}{(x.IsCorrection ? "!" : "")}"));

    public HandleResult Handle(UserEvent e) => Machine.Handle(State, e, new LogPosition(0, _offset++), Effects);

    public HandleResult Show(long at, string item, string? request = null, int position = -1, string surface = "") =>
        Handle(Event(EventKind.Impression, at, item) with { RequestId = request, Position = position, Surface = surface });

    public HandleResult ShowList(long at, string? request, params string[] items) =>
        Handle(Event(EventKind.Impression, at, null) with { RequestId = request, Items = [.. items.Select((x, i) => new ShownItem(x, i))] });

    public HandleResult Act(long at, EventKind kind, string item, string? request = null, double value = double.NaN) =>
        Handle(Event(kind, at, item) with { RequestId = request, Value = value });

    public HandleResult Click(long at, string item, string? request = null) => Act(at, EventKind.Click, item, request);

    public void OnTime(long at) => Machine.OnTime(State, T0 + at, new LogPosition(0, _offset), Effects);

    public static UserEvent Event(EventKind kind, long at, string? item) =>
        new() { Kind = kind, Type = kind == EventKind.Custom ? "custom" : EventKinds.Name(kind), User = "u", TimeMs = T0 + at, Item = item };

    public byte[] Bytes() => Encode(State);

    public static byte[] Encode(UserState state)
    {
        var writer = new ByteWriter();
        UserStateCodec.Write(state, writer);
        return writer.WrittenSpan.ToArray();
    }
}
