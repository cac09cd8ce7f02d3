using Streaming.Core.Feeds;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Users;

namespace Streaming.Suites.Fakes;

/// <summary>Models that answer from hashes: stateless, so that two runs of the same events see the same answers.</summary>
public sealed class FakeModels(int dimension) : IUserModels
{
    /// <summary>An item whose features cannot be computed: stands for any bug in an actor.</summary>
    public static readonly ulong PoisonItem = StableHash.Of("poison");

    public ItemCatalog Catalog { get; } = new();
    public IItemCatalog Items => Catalog;
    public string Versions => "fake:1";

    public void Features(UserState user, ulong itemKey, in ShownContext context, FeatureBuffer into)
    {
        if (itemKey == PoisonItem) throw new InvalidOperationException("the poison works");
        into.Clear();
        into.Add((uint)StableHash.Of(user.User));
        into.Add((uint)itemKey);
        into.Add(3, user.Positives);
    }

    public bool TryItemVector(ulong itemKey, Span<float> into)
    {
        for (var i = 0; i < dimension; i++) into[i] = (float)StableHash.Unit(StableHash.Combine(itemKey, (ulong)i)) - .5f;
        return true;
    }

    public void LearnUser(UserState user, ulong itemKey, float label, float weight)
    {
        for (var i = 0; i < dimension; i++) user.Embedding[i] += (label - .5f) * .01f * (1 + i);
    }
}

/// <summary>Builds a list that says which user and version it is, and nothing else.</summary>
public sealed class FakeFeedBuilder : IFeedBuilder
{
    public FeedList? Build(UserState user, string surface, string arm, long nowMs) => new()
    {
        User = user.User, Surface = surface, Arm = arm, Version = ++user.ListVersion, BuiltMs = nowMs, LastEventMs = user.LastEventMs,
        LastApplied = user.LastApplied, Models = "fake:1", Entries = [],
    };
}
