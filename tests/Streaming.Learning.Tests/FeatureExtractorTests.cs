using Streaming.Suites;
using Streaming.Core.Events;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Learning.Features;
using Streaming.Users;

namespace Streaming.Learning.Tests;

public sealed class FeatureExtractorTests
{
    private const long Now = 1_700_000_000_000;

    [Fact]
    public void Every_allowed_name_is_a_kind_and_every_kind_has_a_name()
    {
        FeatureNames.All.Select(FeatureKinds.Parse).ShouldBe(Enum.GetValues<FeatureKind>());
        FeatureNames.Default.ShouldBeSubsetOf(FeatureNames.All);
        foreach (var cross in FeatureNames.DefaultCrosses) FeatureNames.TryParseCross(cross, out _, out _).ShouldBeTrue(cross);
    }

    [Fact]
    public void Unknown_names_are_problems_that_name_their_path_and_what_is_allowed()
    {
        var settings = new StreamingSettings
        {
            Learning = new LearningSettings { Features = ["user", "colour"], Crosses = ["user*tag", "user*colour", "user"] },
        };
        var problems = settings.Validate();
        problems.Count.ShouldBe(3);
        problems[0].ShouldStartWith("Learning:Features:1: is 'colour'; allowed are bias, user");
        problems[1].ShouldStartWith("Learning:Crosses:1: is 'user*colour'");
        problems[2].ShouldStartWith("Learning:Crosses:2: is 'user'");
        new StreamingSettings().Validate().ShouldBeEmpty();
    }

    [Fact]
    public void A_one_hot_feature_and_its_cross_have_the_documented_hashes()
    {
        var rig = Rig(["user", "tag"], ["user*tag"], out _);
        var found = Extract(rig, User(rig), StableHash.Of("film"));
        var user = StableHash.Combine(StableHash.Of("feature:User"), StableHash.Of("ann"));
        var tags = new[] { "drama", "war" }.Select(t => StableHash.Combine(StableHash.Of("feature:Tag"), InterestKey.Tag(t))).ToArray();
        ulong[] keys = [user, .. tags, .. tags.Select(t => StableHash.Combine(user, t))];
        found.Features.ToArray().ShouldBe(keys.Select(k => (uint)(k >> 32)));
        found.Values.ToArray().ShouldAllBe(v => v == 1f);
    }

    [Fact]
    public void Real_features_have_the_values_their_names_promise()
    {
        var rig = Rig(["user_rating", "user_mean", "item_mean", "mf", "mf_dot", "long_similarity"], ["none"], out var item);
        var user = User(rig);
        for (var i = 0; i < 50; i++)
        {
            var example = rig.Example(user, item, i % 5 == 0 ? 0f : 1f, i, Now);
            rig.Models.LearnUser(user, item, example.Label, 1f);
            rig.Trainer.OnExample(example);
        }
        user.RatingCount = 10;
        user.RatingSum = 50;
        user.RatingPositives = 10;
        rig.Models.TryItemVector(item, user.LongVector).ShouldBeTrue();
        var values = Extract(rig, user, item).Values.ToArray();
        var global = (40 + 0.5) / 51;
        // The user's features come first: the mean in logits, (10 + 5 g) / 15, then the rating, (50 + 5 * 4) / 15 - 4.
        values[0].ShouldBe(0.6666667f, 1e-4f);
        values[1].ShouldBe((float)(Logit((10 + 5 * global) / 15) - Logit(global)), 1e-3f);
        values[2].ShouldBe((float)(Logit((40 + 10 * global) / 60) - Logit(global)), 1e-3f);
        values[3].ShouldBe(rig.Factors.Logit(user, item), 1e-5f);
        values[5].ShouldBe(1f, 1e-4f);

        static double Logit(double p) => Math.Log(p / (1 - p));
    }

    [Fact]
    public void Lifts_set_the_users_share_against_everybodys()
    {
        var rig = Rig(["author_lift", "category_lift", "tag_lift"], ["none"], out var item);
        var user = User(rig);
        user.Positives = 3;
        // Everybody: six actions at one time, all on the film; so a tag's share is 6.5 / 6.5, whatever the user did.
        for (var i = 0; i < 6; i++) rig.Trainer.OnInteraction(LearningRig.Interaction(rig.Example(user, item, 1f, i, Now)));
        rig.Statistics.InterestShare(InterestKey.Tag("war"), Now).ShouldBe(1, 1e-9);
        rig.Statistics.InterestShare(InterestKey.Tag("comedy"), Now).ShouldBe(0.5 / 6.5, 1e-9);
        // Author: (1 + 5) / (3 + 5); category: never, 5 / 8; tags: war as often as possible, drama never.
        var values = Extract(rig, user, item).Values.ToArray();
        values[0].ShouldBe(MathF.Log(6 / 8f), 1e-5f);
        values[1].ShouldBe(MathF.Log(5 / 8f), 1e-5f);
        values.Length.ShouldBe(3);
        values[2].ShouldBe(MathF.Log(5 / 8f) / 2, 1e-5f, "war's lift is the logarithm of 1");
        // A rare author of which the user has had one of three: (1 + 5 q) / (8 q), q = .5 / 6.5.
        var other = ((ItemCatalog)rig.Models.Items).Apply(new ItemChange("other", new Item("other") { Author = "lee" }, Now))!.Key;
        user.Interests[InterestKey.Author("lee")] = new Interest(1f, Now, 1);
        Extract(rig, user, other).Values.ToArray()[0].ShouldBe(MathF.Log((1 + 5 * 0.5f / 6.5f) / (8 * 0.5f / 6.5f)), 1e-5f);
    }

    [Fact]
    public void Attributes_are_one_hot_by_value_and_numbers_by_half_octave()
    {
        var catalog = new ItemCatalog();
        ulong Add(string id, params (string Name, string Value)[] attributes) => catalog.Apply(new ItemChange(
            id, new Item(id) { Attributes = [.. attributes.Select(a => KeyValuePair.Create(a.Name, a.Value))] }, Now))!.Key;
        var rig = new LearningRig(new StreamingSettings { Learning = new LearningSettings { Features = ["attribute"], Crosses = ["none"] } }, catalog);
        uint[] Of(ulong key) => Extract(rig, rig.NewUser("ann"), key).Features.ToArray();
        var first = Of(Add("a", ("cast", "ann|bob"), ("votes", "1000"), ("text", new string('x', 65))));
        first.Length.ShouldBe(3);
        var second = Of(Add("b", ("votes", "1010"), ("cast", "bob")));
        second.ShouldBe([first[2], first[1]]);
        Of(Add("c", ("votes", "2000")))[0].ShouldNotBe(first[2]);
        Of(Add("d", ("budget", "1000")))[0].ShouldNotBe(first[2]);
    }

    [Fact]
    public void Ranking_and_training_extract_alike_and_score_as_the_ranker_predicts()
    {
        var rig = Rig([], [], out var item);
        var user = User(rig);
        rig.Trainer.OnExample(rig.Example(user, item, 1f, 0, Now));
        var scorer = rig.Features.NewScorer();
        var buffer = new FeatureBuffer();
        scorer.BeginUser(user, Now, "home");
        scorer.ItemFeatures(StableHash.Of("other"), buffer);
        scorer.ItemFeatures(item, buffer);
        var trained = new FeatureBuffer();
        rig.Models.Features(user, item, new ShownContext(Now, "home", 3), trained);
        buffer.Features.ToArray().ShouldBe(trained.Features.ToArray());
        buffer.Values.ToArray().ShouldBe(trained.Values.ToArray());
        buffer.Count.ShouldBeGreaterThan(25);
        scorer.Score(item).ShouldBe(rig.Ranker.Predict(trained.Features, trained.Values));
    }

    [Fact]
    public void Dense_columns_of_a_candidate_are_those_that_its_example_holds()
    {
        var rig = Rig([], [], out var item);
        var user = User(rig);
        for (var i = 0; i < 5; i++) rig.Trainer.OnExample(rig.Example(user, item, i % 2, i, Now));
        // Whatever was looked at before, and for whomever, leaves nothing behind.
        var dense = new DenseInputs(rig.Features.NewScorer(), rig.Settings);
        var other = new float[dense.Columns];
        dense.Fill(rig.NewUser("nobody"), [StableHash.Of("other")], "", Now, other);
        var ranked = new float[2 * dense.Columns];
        dense.Fill(user, [StableHash.Of("other"), item], "", Now, ranked);
        var batch = new Models.Deep.ExampleBatch(0, DenseInputs.Hashes(rig.Settings));
        foreach (var key in (ulong[])[StableHash.Of("other"), item])
        {
            batch.Add(rig.Example(user, key, 1f, 9, Now));
        }
        batch.Dense.ToArray().ShouldBe(ranked);
        ranked.Count(v => v != 0).ShouldBeGreaterThan(2);
        DenseInputs.ColumnsOf(rig.Settings).ShouldBe(10);
        ranked.ShouldAllBe(v => Math.Abs(v) <= 8);
    }

    [Fact]
    public void What_a_scorer_remembers_of_an_item_never_outlives_a_change()
    {
        var rig = Rig([], [], out var item);
        var user = User(rig);
        for (var i = 0; i < 5; i++) rig.Trainer.OnExample(rig.Example(user, item, 1f, i, Now));
        var scorer = rig.Features.NewScorer();
        var (nowMs, last) = (Now, -1f);
        Check();
        rig.Trainer.OnExample(rig.Example(user, item, 0f, 10, Now));
        Check();
        rig.Trainer.OnInteraction(LearningRig.Interaction(rig.Example(user, item, 1f, 11, Now)));
        Check();
        nowMs += 14L * 24 * 3_600_000;
        Check();
        ((ItemCatalog)rig.Models.Items).Apply(new ItemChange("film", new Item("film"), Now));
        Check();

        void Check()
        {
            var fresh = rig.Features.NewScorer();
            fresh.BeginUser(user, nowMs, "home");
            scorer.BeginUser(user, nowMs, "home");
            var score = scorer.Score(item);
            score.ShouldBe(fresh.Score(item));
            score.ShouldNotBe(last, "the change should have changed the score");
            last = score;
        }
    }

    [Fact]
    public void Extracting_before_a_user_is_an_error() =>
        Should.Throw<InvalidOperationException>(() => Rig([], [], out _).Features.NewScorer().ItemFeatures(1, new FeatureBuffer()));

    [Fact]
    public void Several_threads_extract_at_once()
    {
        var rig = Rig([], [], out var item);
        var user = User(rig);
        rig.Trainer.OnExample(rig.Example(user, item, 1f, 0, Now));
        var expected = Extract(rig, user, item).Features.ToArray();
        Parallel.For(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            var buffer = new FeatureBuffer();
            rig.Models.Features(i % 2 == 0 ? user : rig.NewUser($"u{i}"), item, new ShownContext(Now, "home", -1), buffer);
            if (i % 2 == 0) buffer.Features.SequenceEqual(expected).ShouldBeTrue();
        });
    }

    [Fact]
    public void Extraction_and_scoring_allocate_nothing_once_warm()
    {
        var rig = Rig([], [], out var item);
        var user = User(rig);
        rig.Trainer.OnExample(rig.Example(user, item, 1f, 0, Now));
        var scorer = rig.Features.NewScorer();
        var buffer = new FeatureBuffer();
        for (var i = 0; i < 50; i++) Round();
        Allocated.Bytes(() =>
        {
            for (var i = 0; i < 500; i++) Round();
        }).ShouldBe(0);

        void Round()
        {
            scorer.BeginUser(user, Now, "home");
            scorer.ItemFeatures(item, buffer);
            scorer.Score(item);
            rig.Models.Features(user, item, new ShownContext(Now, "home", -1), buffer);
        }
    }

    private static LearningRig Rig(string[] features, string[] crosses, out ulong item)
    {
        var catalog = new ItemCatalog();
        item = catalog.Apply(new ItemChange("film", new Item("film") { Tags = ["drama", "war"], Categories = ["film"], Author = "kay" }, Now))!.Key;
        var learning = new LearningSettings { Features = features, Crosses = crosses, FtrlBits = 14 };
        return new LearningRig(new StreamingSettings { Learning = learning }, catalog);
    }

    private static UserState User(LearningRig rig)
    {
        var user = rig.NewUser("ann");
        user.Profile = new UserProfile { Attributes = [new("age", "30"), new("gender", "F")] };
        user.Interests[InterestKey.Tag("war")] = new Interest(3f, Now, 3);
        user.Interests[InterestKey.Author("kay")] = new Interest(1f, Now, 1);
        user.Marks[StableHash.Of("film")] = new ItemMarks(1, 2, 1, false, false, Now);
        return user;
    }

    private static FeatureBuffer Extract(LearningRig rig, UserState user, ulong item)
    {
        var buffer = new FeatureBuffer();
        rig.Models.Features(user, item, new ShownContext(Now, "home", -1), buffer);
        return buffer;
    }
}
