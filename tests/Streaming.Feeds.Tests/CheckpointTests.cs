using Streaming.Core.Ports;
using Streaming.Core.Settings;

namespace Streaming.Feeds.Tests;

public sealed class CheckpointTests
{
    // Small bounds, so that forgetting is part of what must survive.
    private static readonly FeedsSettings Tight = new()
    {
        PopularItemsMax = 150, PopularTopMax = 40, PostingsMax = 10, PostingListsMax = 32, ItemCfItemsMax = 150, ItemCfNeighboursMax = 8,
        EmbeddingScanMax = 100, TransitionItemsMax = 100, TransitionFollowersMax = 6, FreshItemsMax = 12, FreshImpressionsMax = 60,
    };

    private static byte[] Save(ICheckpointed part)
    {
        using var into = new MemoryStream();
        part.Save(into);
        return into.ToArray();
    }

    private static void Restore(World from, World into)
    {
        foreach (var (source, target) in from.Index.Learners.Zip(into.Index.Learners))
        {
            target.Name.ShouldBe(source.Name);
            target.Load(new MemoryStream(Save(source)));
        }
    }

    [Theory]
    [InlineData(1, false), InlineData(2, true)]
    public void LearningGoesOnAfterALoadAsIfNothingHadHappened(int seed, bool announceAgain)
    {
        var original = World.Populated(200, 3000, seed, Tight);
        var restored = new World(Tight, dim: 16);
        foreach (var item in original.Catalog.All) restored.Catalog.Apply(new Core.Items.ItemChange(item.Id, item, item.FirstSeenMs));
        foreach (var (key, row) in original.Vectors.Rows) restored.Vectors.Rows[key] = row;
        // In the middle of a round: vectors touched but not yet copied.
        original.Show("i1");
        original.Act("i2");
        Restore(original, restored);
        if (announceAgain)
            foreach (var item in restored.Catalog.All) restored.Index.OnItem(item);
        foreach (var world in new[] { original, restored })
        {
            world.Traffic(200, 2000, new Random(99));
            world.Delete("i7");
            world.Add("new", ["t1"], bornMs: World.Now - World.Hour);
            world.Index.Refresh(World.Now + World.Hour);
        }
        foreach (var (a, b) in original.Index.Learners.Zip(restored.Index.Learners)) Save(b).ShouldBe(Save(a), a.Name);
        for (var u = 0; u < 5; u++)
            restored.Builder().Build(restored.ActiveUser(200, u), "home", "learned", World.Now)!.Entries
                .ShouldBe(original.Builder().Build(original.ActiveUser(200, u), "home", "learned", World.Now)!.Entries);
    }

    [Fact]
    public void CorruptPartsAreRefusedAndLeaveTheStateAsItWas()
    {
        var world = World.Populated(60, 400, 3, Tight);
        var random = new Random(4);
        foreach (var learner in world.Index.Learners)
        {
            var good = Save(learner);
            Should.Throw<InvalidDataException>(() => learner.Load(new MemoryStream([])));
            Should.Throw<InvalidDataException>(() => learner.Load(new MemoryStream([.. good, 0])));
            Should.Throw<InvalidDataException>(() => learner.Load(new MemoryStream([99, .. good[1..]]))).Message.ShouldContain("version 99");
            for (var i = 0; i < 200; i++)
                Should.Throw<InvalidDataException>(() => learner.Load(new MemoryStream(good[..random.Next(good.Length)])));
            Save(learner).ShouldBe(good, learner.Name);
            for (var i = 0; i < 300; i++)
            {
                var bad = (byte[])good.Clone();
                bad[random.Next(bad.Length)] ^= (byte)random.Next(1, 256);
                try
                {
                    learner.Load(new MemoryStream(bad));
                }
                catch (InvalidDataException)
                {
                    // Refused; a flipped number may also be read as another number, but nothing else may be thrown.
                }
            }
            learner.Load(new MemoryStream(good));
            Save(learner).ShouldBe(good, learner.Name);
        }
    }

    /// <summary>Bytes written by format version 1. New versions are added below; these stay.</summary>
    private static readonly (string Name, string Hex)[] Golden =
    [
        ("popularity", "01027184FB9EF8726EBE98D05E42FB36D340E4388EE378D21C4155DAEE6431AC7DC4A5CC5259FB36D3409B454BE478D21C410155DAEE6431AC7DC495"
            + "6A61471ADE7F7B02388BCD210FD091F104410B3AD02DF8D70255DAEE6431AC7DC4A5CC5259FB36D3407184FB9EF8726EBE98D05E42FB36D3400255DA"
            + "EE6431AC7DC436AF8009C1381C417184FB9EF8726EBE5F427B09C1381C410204410B3AD02DF8D70155DAEE6431AC7DC4A5CC5259FB36D340388BCD21"
            + "0FD091F10155DAEE6431AC7DC4A5CC5259FB36D34001956A61471ADE7F7B0155DAEE6431AC7DC4A5CC5259FB36D3400105686F6D650155DAEE6431AC"
            + "7DC498D05E42FB36D3400155DAEE6431AC7DC498D05E42FB36D340"),
        ("itemcf", "010200000000000000027184FB9EF8726EBE010000000000000002000000000000000155DAEE6431AC7DC47005693F55DAEE6431AC7DC40100000000"
            + "0000000100000000000000017184FB9EF8726EBE7005693F"),
        ("embedding", "01020155DAEE6431AC7DC40000803F000000BF017184FB9EF8726EBE"),
        ("fresh", "010068E5CF8B010000000000000000F03F0155DAEE6431AC7DC48079AECF8B010000000000000000F03F0000000000000000"),
        ("transition", "0102000000000000000155DAEE6431AC7DC4020000000000000098D05E42FB360341017184FB9EF8726EBE98D05E42FB360341"),
    ];

    [Fact]
    public void TheFormatsOfEarlierBuildsAreRead()
    {
        var world = new World(dim: 2);
        foreach (var (name, hex) in Golden)
        {
            var learner = world.Index.Learners.Single(l => l.Name == name);
            learner.Load(new MemoryStream(Convert.FromHexString(hex)));
            Convert.ToHexString(Save(learner)).ShouldBe(hex, name);
        }
        // What was learned before it was written: item a (tag x, author ann, an hour old, vector (1, -0.5)) clicked on home and
        // shown once, then b by a user of two actions whose earlier item was a.
        world.Index.Popularity.Popularity(World.Key("b"), World.Now).ShouldBe(1, 1e-6);
        world.Index.Popularity.OfSurface("home")!.Keys.ToArray().ShouldBe([World.Key("a")]);
        world.Index.Popularity.OfAuthor(Core.Items.InterestKey.Author("ann"))!.Keys.ToArray().ShouldBe([World.Key("a")]);
        var into = new Candidate[2];
        world.Index.ItemCf.Similar(World.Key("a"), into).ShouldBe(1);
        into[0].ShouldBe(new Candidate(World.Key("b"), (float)(1 / Math.Log(3))));
        world.Index.Transitions.Probability(World.Key("a"), World.Key("b"), World.Now, 0, 1).ShouldBe(0.5, 1e-6);
        world.Index.Embedding.Index.Search([2f, 2f], into).ShouldBe(1);
        into[0].ShouldBe(new Candidate(World.Key("a"), 1f));
        world.Index.Fresh.Recall(world.User(), new RecallRequest("", World.Now), into).ShouldBe(1);
    }
}
