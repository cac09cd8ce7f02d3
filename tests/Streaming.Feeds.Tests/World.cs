using Streaming.Core.Events;
using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Feeds.Building;
using Streaming.Users;

namespace Streaming.Feeds.Tests;

/// <summary>Item vectors set by the test.</summary>
internal sealed class FakeVectors(int dim) : IItemVectors
{
    public readonly Dictionary<ulong, float[]> Rows = [];

    public int Dim => dim;

    public bool TryGet(ulong item, Span<float> into)
    {
        if (!Rows.TryGetValue(item, out var row)) return false;
        row.CopyTo(into);
        return true;
    }
}

/// <summary>Scores set by the test; other items score by a hash. <see cref="Rounds"/> of work imitate a real model's cost.</summary>
internal sealed class FakeRanker(int rounds = 0) : IRanker
{
    public readonly Dictionary<ulong, float> Scores = [];

    public int Rounds => rounds;

    public void Score(UserState user, ReadOnlySpan<ulong> items, string surface, long nowMs, Span<float> scores)
    {
        for (var i = 0; i < items.Length; i++)
        {
            if (Scores.TryGetValue(items[i], out var score)) scores[i] = score;
            else
            {
                var hash = items[i];
                for (var r = 0; r <= rounds; r++) hash = StableHash.Finalise(hash);
                scores[i] = (float)StableHash.Unit(hash);
            }
        }
    }
}

internal sealed class FakeModels(IItemCatalog items) : IUserModels
{
    public IItemCatalog Items => items;
    public string Versions => "fake:1";

    public void Features(UserState user, ulong itemKey, in ShownContext context, FeatureBuffer into)
    {
        into.Clear();
        into.Add((uint)itemKey, context.Position);
    }

    public bool TryItemVector(ulong itemKey, Span<float> into) => false;
    public void LearnUser(UserState user, ulong itemKey, float label, float weight) => throw new NotSupportedException("list building learns nothing");
}

/// <summary>A catalogue, an index over it and a builder, on virtual time.</summary>
internal sealed class World
{
    public const long Now = 1_700_000_000_000;
    public const long Hour = 3_600_000;

    public readonly FeedsSettings Settings;
    public readonly UsersSettings Users = new();
    public readonly ItemCatalog Catalog = new();
    public readonly FakeVectors Vectors;
    public readonly FakeRanker Ranker;
    public readonly FeedIndex Index;
    private int _ordinal;

    public World(FeedsSettings? settings = null, int dim = 4, FakeRanker? ranker = null)
    {
        Settings = settings ?? new FeedsSettings();
        Vectors = new FakeVectors(dim);
        Ranker = ranker ?? new FakeRanker();
        Index = new FeedIndex(Catalog, Vectors, Settings, Users);
    }

    public static ulong Key(string id) => StableHash.Of(id);

    public FeedBuilder Builder(params ArmPolicy[] arms) => new(Index, new FakeModels(Catalog), Vectors, Ranker, Settings, arms);

    public UserState User(string name = "u") => new(name, Vectors.Dim) { LastEventMs = Now, LastApplied = new LogPosition(1, 7) };

    /// <summary>Adds an old item, so that it is not fresh.</summary>
    public Item Add(
        string id, string[]? tags = null, string[]? categories = null, string? author = null, long bornMs = 0, long expiresMs = long.MaxValue)
    {
        bornMs = bornMs == 0 ? Now - 30 * 24 * Hour : bornMs;
        var item = Catalog.Apply(new ItemChange(id, new Item(id)
        {
            Tags = tags ?? [], Categories = categories ?? [], Author = author, PublishedMs = bornMs, ExpiresMs = expiresMs,
        }, bornMs))!;
        Index.OnItem(item);
        return item;
    }

    public void Delete(string id)
    {
        Catalog.Apply(new ItemChange(id, null, Now));
        Index.OnItemDeleted(Key(id));
    }

    public Interaction Act(
        string item, long timeMs = Now, float weight = 1, string surface = "", int userActions = 1, params string[] recent)
    {
        var interaction = new Interaction
        {
            Source = new LogPosition(0, _ordinal), Ordinal = _ordinal++, User = "someone", ItemKey = Key(item), Action = EventKind.Click,
            Weight = weight, TimeMs = timeMs, Surface = surface, UserActions = userActions, Recent = [.. recent.Select(Key)],
        };
        foreach (var learner in Index.Learners) learner.OnInteraction(interaction);
        return interaction;
    }

    public void Show(string item, float label = 0, long timeMs = Now, float sampleRate = 1, bool correction = false)
    {
        var example = new Example
        {
            Source = new LogPosition(0, _ordinal), Ordinal = _ordinal++, User = "someone", ItemKey = Key(item), ShownMs = timeMs,
            LabelMs = timeMs, Label = label, SampleRate = sampleRate, IsCorrection = correction, Features = [], Values = [],
        };
        foreach (var learner in Index.Learners) learner.OnExample(example);
    }

    public void SetVector(string item, params float[] vector) => Vectors.Rows[Key(item)] = vector;

    public static void Like(UserState user, string item, float weight = 1) =>
        user.History.Add(new PastAction(Key(item), EventKind.Click, weight, Now));

    public string[] Names(ReadOnlySpan<Candidate> found)
    {
        var names = new string[found.Length];
        for (var i = 0; i < names.Length; i++) names[i] = Catalog.TryGet(found[i].Item, out var item) ? item.Id : "?";
        return names;
    }

    public string[] Recall(string channel, UserState user, int quota = 10, string surface = "", long nowMs = Now)
    {
        var into = new Candidate[quota];
        return Names(into.AsSpan(0, Index.Channels.Single(c => c.Name == channel).Recall(user, new RecallRequest(surface, nowMs), into)));
    }

    /// <summary>A catalogue with traffic, from one seed: items with tags, categories, authors and vectors, clicks by 200 users.</summary>
    public static World Populated(int items, int clicks, int seed, FeedsSettings? settings = null, FakeRanker? ranker = null)
    {
        var world = new World(settings, dim: 16, ranker);
        var random = new Random(seed);
        for (var i = 0; i < items; i++)
        {
            var age = i % 20 == 0 ? random.NextInt64(1, 20 * Hour) : random.NextInt64(2 * 24 * Hour, 60 * 24 * Hour);
            world.Add($"i{i}", [$"t{random.Next(40)}", $"t{random.Next(40)}"], [$"c{random.Next(20)}"], $"a{random.Next(100)}", Now - age);
            world.SetVector($"i{i}", Vector(random, 16));
        }
        world.Traffic(items, clicks, random);
        return world;
    }

    public void Traffic(int items, int clicks, Random random)
    {
        var recent = new List<string>[200];
        for (var u = 0; u < recent.Length; u++) recent[u] = [];
        for (var c = 0; c < clicks; c++)
        {
            var mine = recent[random.Next(recent.Length)];
            var item = $"i{(int)(items * Math.Pow(random.NextDouble(), 2))}";
            var time = Now - (clicks - c) * (24 * Hour / clicks);
            Show(item, random.Next(5) == 0 ? 1 : 0, time);
            Act(item, time, 1, random.Next(2) == 0 ? "home" : "mail", mine.Count + 1, [.. mine.TakeLast(20).Reverse()]);
            if (!mine.Contains(item)) mine.Add(item);
        }
        Index.Refresh(Now);
    }

    /// <summary>A user with history, interests, marks and vectors, from one seed.</summary>
    public UserState ActiveUser(int items, int seed)
    {
        var random = new Random(seed);
        var user = User($"u{seed}");
        for (var i = 0; i < 60; i++)
        {
            Like(user, $"i{random.Next(items)}");
            user.Marks[Key($"i{random.Next(items)}")] = new ItemMarks(random.Next(20), random.Next(5), random.Next(2), false, random.Next(9) == 0, Now - Hour);
        }
        for (var i = 0; i < 40; i++) user.Interests[InterestKey.Tag($"t{i}")] = new Interest(random.NextSingle(), Now - random.NextInt64(100 * Hour), 3);
        Vector(random, 16).CopyTo(user.Embedding, 0);
        Vector(random, 16).CopyTo(user.ShortVector, 0);
        (user.ShortWeight, user.ShortMs, user.LongWeight, user.LongMs) = (1, Now - 60_000, 5, Now - 60_000);
        return user;
    }

    public static float[] Vector(Random random, int dim)
    {
        var vector = new float[dim];
        for (var d = 0; d < dim; d++) vector[d] = (float)(random.NextDouble() * 2 - 1);
        return vector;
    }
}
