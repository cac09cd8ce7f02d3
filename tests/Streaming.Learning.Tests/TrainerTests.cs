using Streaming.Core.Examples;
using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Learning.Isolation;
using Streaming.Users;

namespace Streaming.Learning.Tests;

public sealed class TrainerTests
{
    private static readonly StreamingSettings Settings = new()
    {
        Learning = new LearningSettings { FtrlBits = 16, PrequentialWindowMax = 2000, EmbeddingAdmitCount = 2, EmbeddingPendingMax = 64 },
    };

    [Fact]
    public void On_planted_tastes_the_loss_falls_and_the_ranking_is_good()
    {
        var stream = new Planted(Settings);
        stream.Run(2000);
        var early = stream.Rig.Trainer.Figures()[0];
        stream.Run(12_000);
        var late = stream.Rig.Trainer.Figures()[0];
        late.WindowLogLoss.ShouldBeLessThan(early.WindowLogLoss - 0.05);
        late.WindowAuc.ShouldBeGreaterThan(0.8);
        late.Auc.ShouldBeGreaterThan(stream.Rig.Trainer.Figures()[2].Auc + 0.05);
    }

    [Fact]
    public void Save_load_continue_equals_never_having_stopped()
    {
        var whole = new Planted(Settings);
        whole.Run(3000);
        var halved = new Planted(Settings);
        halved.Run(1500);
        halved.Restart();
        halved.Run(3000);
        halved.Rig.Save().ShouldBe(whole.Rig.Save());
        halved.Rig.Trainer.Figures().ShouldBe(whole.Rig.Trainer.Figures());
        halved.Rig.Models.Versions.ShouldBe("ftrl:3000 mf:3000");
    }

    [Fact]
    public void Repeats_are_dropped_per_partition()
    {
        var rig = new LearningRig(Settings, new ItemCatalog());
        rig.Trainer.OnExample(At(0, 5, 0));
        rig.Trainer.OnExample(At(0, 5, 1));
        rig.Trainer.OnExample(At(0, 5, 0));
        rig.Trainer.OnExample(At(0, 4, 9));
        rig.Trainer.OnExample(At(1, 4, 0));
        rig.Trainer.OnInteraction(LearningRig.Interaction(At(1, 3, 0)));
        rig.Trainer.OnInteraction(LearningRig.Interaction(At(1, 4, 0)));
        rig.Trainer.Examples.ShouldBe(3);
        rig.Trainer.Interactions.ShouldBe(1);
        rig.Trainer.Repeats.ShouldBe(3);
        rig.Ranker.Version.ShouldBe(3);
    }

    [Fact]
    public void One_event_may_release_records_of_several_users_with_the_same_ordinal()
    {
        var rig = new LearningRig(Settings, new ItemCatalog());
        rig.Trainer.OnExample(At(0, 5, 0, user: "a"));
        rig.Trainer.OnExample(At(0, 5, 0, user: "b"));
        rig.Trainer.OnExample(At(0, 5, 0, user: "a"));
        rig.Trainer.Examples.ShouldBe(2);
        rig.Trainer.Repeats.ShouldBe(1);
    }

    [Fact]
    public void A_correction_is_learned_and_not_scored()
    {
        var rig = new LearningRig(Settings, new ItemCatalog());
        rig.Trainer.OnExample(At(0, 1, 0));
        rig.Trainer.OnExample(At(0, 2, 0, correction: true));
        rig.Trainer.Corrections.ShouldBe(1);
        rig.Ranker.Version.ShouldBe(2);
        rig.Trainer.Figures()[0].Count.ShouldBe(1);
    }

    [Fact]
    public void A_dislike_pushes_away_though_its_weight_is_negative()
    {
        var rig = new LearningRig(Settings, new ItemCatalog());
        var user = rig.NewUser("u");
        for (var i = 0; i < 50; i++)
        {
            rig.Models.LearnUser(user, 7, 0f, -2f);
            rig.Trainer.OnExample(At(0, i, 0, label: 0f, weight: -2f));
        }
        user.EmbeddingBias.ShouldBeLessThan(0);
        rig.Ranker.Predict([1], [1f]).ShouldBeLessThan(0.45f);
    }

    [Fact]
    public void Unknown_items_are_reported()
    {
        var seen = new List<(string, long)>();
        var rig = new LearningRig(Settings, new ItemCatalog());
        var trainer = new Trainer(Settings.Learning, rig.Ranker, new ArmOverlays(rig.Ranker, Settings), rig.Factors, rig.Statistics, onUnknownItem: (id, at) => seen.Add((id, at)));
        trainer.OnExample(At(0, 1, 0, itemId: "new"));
        trainer.OnExample(At(0, 2, 0));
        seen.ShouldBe([("new", 1L)]);
    }

    [Fact]
    public void A_corrupt_part_is_refused()
    {
        var stream = new Planted(Settings);
        stream.Run(100);
        var bytes = LearningRig.Bytes(stream.Rig.Trainer);
        for (var at = 0; at < bytes.Length; at += 113)
        {
            var bad = (byte[])bytes.Clone();
            bad[at] ^= 0x20;
            Should.Throw<InvalidDataException>(() => stream.Rig.Trainer.Load(new MemoryStream(bad)), $"byte {at}");
        }
        LearningRig.Bytes(stream.Rig.Trainer).ShouldBe(bytes);
    }

    private static Example At(
        int partition, long offset, int ordinal, bool correction = false, string? itemId = null, float label = 1f, float weight = 1f, string user = "u") => new()
    {
        Source = new LogPosition(partition, offset), Ordinal = ordinal, User = user, ItemKey = 7, ItemId = itemId, ShownMs = 1, LabelMs = 1,
        Label = label, Weight = weight, IsCorrection = correction, Features = [1], Values = [1f],
    };

    /// <summary>Users who like two of six tags, items of one tag each, 10 % noise; any stretch of it can be replayed.</summary>
    private sealed class Planted
    {
        private readonly StreamingSettings _settings;
        private readonly ItemCatalog _catalog = new();
        private readonly UserState[] _users;
        private int _at;

        public Planted(StreamingSettings settings)
        {
            _settings = settings;
            for (var i = 0; i < 60; i++) _catalog.Apply(new ItemChange($"i{i}", new Item($"i{i}") { Tags = [$"t{i % 6}"] }, 0));
            Rig = new LearningRig(settings, _catalog);
            _users = [.. Enumerable.Range(0, 50).Select(u => Rig.NewUser($"u{u}"))];
        }

        public LearningRig Rig { get; private set; }

        /// <summary>Moves everything into freshly made parts.</summary>
        public void Restart()
        {
            var saved = Rig.Save();
            Rig = new LearningRig(_settings, _catalog);
            Rig.Load(saved);
        }

        public void Run(int until)
        {
            for (; _at < until; _at++)
            {
                var (u, i) = ((int)(StableHash.Combine((ulong)_at, 1) % 50), (int)(StableHash.Combine((ulong)_at, 2) % 60));
                var likes = i % 6 == u % 6 || i % 6 == (u + 2) % 6;
                if (StableHash.Unit(StableHash.Combine((ulong)_at, 3)) < 0.1) likes = !likes;
                var label = likes ? 1f : 0f;
                var example = Rig.Example(_users[u], StableHash.Of($"i{i}"), label, _at, _at * 1000L);
                Rig.Models.LearnUser(_users[u], example.ItemKey, label, 1f);
                _users[u].Impressions++;
                if (likes) _users[u].Positives++;
                Rig.Trainer.OnExample(example);
                if (likes) Rig.Trainer.OnInteraction(LearningRig.Interaction(example));
            }
        }
    }
}
