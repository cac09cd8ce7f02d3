using Streaming.Suites;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Models.Embeddings;

namespace Streaming.Learning.Tests;

public sealed class MatrixFactorisationTests
{
    private const int Users = 100;
    private const int Items = 40;

    private static ulong Key(int item) => StableHash.Of($"item{item}");

    [Fact]
    public void It_learns_planted_low_rank_structure()
    {
        var rig = Rig();
        var users = Enumerable.Range(0, Users).Select(u => rig.NewUser($"user{u}")).ToArray();
        var (hits, late) = (0, 0);
        for (var i = 0; i < 30_000; i++)
        {
            var (u, item) = Draw(i);
            // Rank one: two camps of users and two of items, liked across the same camp; 5 % noise.
            var likes = u % 2 == item % 2 != StableHash.Unit(StableHash.Combine((ulong)i, 3)) < 0.05;
            var guess = rig.Factors.Logit(users[u], Key(item)) > 0;
            if (i >= 25_000) (hits, late) = (hits + (guess == likes ? 1 : 0), late + 1);
            Step(rig, users[u], item, likes ? 1f : 0f, i);
        }
        ((double)hits / late).ShouldBeGreaterThan(0.9);
        rig.Factors.SamplesNegatives.ShouldBeFalse();
        rig.Factors.ItemCount.ShouldBe(Items);
    }

    [Fact]
    public void Biases_find_planted_rates()
    {
        var rig = Rig();
        var users = Enumerable.Range(0, Users).Select(u => rig.NewUser($"user{u}")).ToArray();
        for (var i = 0; i < 20_000; i++)
        {
            var (u, item) = Draw(i);
            var rate = item < Items / 2 ? 0.2 : 0.7;
            Step(rig, users[u], item, StableHash.Unit(StableHash.Combine((ulong)i, 3)) < rate ? 1f : 0f, i);
        }
        var good = Enumerable.Range(0, Items).Where(i => i >= Items / 2).Average(i => VectorMath.Sigmoid(rig.Factors.Logit(users[0], Key(i))));
        var poor = Enumerable.Range(0, Items).Where(i => i < Items / 2).Average(i => VectorMath.Sigmoid(rig.Factors.Logit(users[0], Key(i))));
        good.ShouldBe(0.7f, 0.12f);
        poor.ShouldBe(0.2f, 0.12f);
    }

    [Fact]
    public void From_clicks_alone_it_ranks_the_own_camp_first()
    {
        var rig = Rig();
        var users = Enumerable.Range(0, Users).Select(u => rig.NewUser($"user{u}")).ToArray();
        for (var i = 0; i < 20_000; i++)
        {
            var (u, item) = Draw(i);
            Step(rig, users[u], (item + u) % 2 == 0 ? item : item ^ 1, 1f, i);
        }
        rig.Factors.SamplesNegatives.ShouldBeTrue();
        var (right, pairs) = (0, 0);
        for (var u = 0; u < Users; u++)
            for (var i = 0; i + 1 < Items; i += 2)
            {
                var (own, other) = u % 2 == 0 ? (i, i + 1) : (i + 1, i);
                if (rig.Factors.Logit(users[u], Key(own)) > rig.Factors.Logit(users[u], Key(other))) right++;
                pairs++;
            }
        ((double)right / pairs).ShouldBeGreaterThan(0.95);
    }

    [Fact]
    public void A_vector_copied_out_leaves_the_bias_behind()
    {
        var rig = Rig();
        var user = rig.NewUser("u");
        Step(rig, user, 1, 1f, 0);
        Step(rig, user, 1, 0f, 1);
        var into = new float[rig.Factors.Dim];
        into[^1] = 5;
        rig.Factors.TryItemVector(Key(1), into).ShouldBeTrue();
        into[^1].ShouldBe(0);
        rig.Factors.TryItem(Key(1), out var vector, out var bias).ShouldBeTrue();
        into[..^1].ShouldBe(vector.ToArray());
        bias.ShouldNotBe(0);
        user.Embedding[^1].ShouldBe(user.EmbeddingBias);
        rig.Factors.TryItemVector(Key(2), into).ShouldBeFalse();
    }

    [Fact]
    public void Learning_allocates_nothing_once_warm()
    {
        var rig = Rig();
        var user = rig.NewUser("u");
        for (var i = 0; i < 200; i++) Step(rig, user, i % Items, i % 3 == 0 ? 1f : 0f, i);
        var example = rig.Example(user, Key(1), 1f, 1000, 1000);
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                rig.Factors.OnExample(example);
                rig.Factors.LearnUser(user, example.ItemKey, 1f, 1f);
            }
        }).ShouldBe(0);
    }

    private static LearningRig Rig() => new(
        new StreamingSettings { Learning = new LearningSettings { Features = ["bias"], Crosses = ["none"] } }, new ItemCatalog());

    private static (int User, int Item) Draw(int i) =>
        ((int)(StableHash.Combine((ulong)i, 1) % Users), (int)(StableHash.Combine((ulong)i, 2) % Items));

    private static void Step(LearningRig rig, Users.UserState user, int item, float label, int i)
    {
        var example = rig.Example(user, Key(item), label, i, i * 1000L);
        rig.Models.LearnUser(user, example.ItemKey, label, 1f);
        user.Events++;
        rig.Trainer.OnExample(example);
    }
}
