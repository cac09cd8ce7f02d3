using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Core.Tests.Items;

public sealed class ItemCatalogTests
{
    private static ItemChange Upsert(string id, long timeMs, string? author = null) => new(id, new Item(id) { Author = author }, timeMs);

    [Fact]
    public void Upserts_replace_and_keep_when_the_item_was_first_seen()
    {
        var catalog = new ItemCatalog();
        catalog.AddStub("a", 5).ShouldBeTrue();
        catalog.AddStub("a", 6).ShouldBeFalse();
        catalog.Apply(Upsert("a", 9, "ann"))!.FirstSeenMs.ShouldBe(5);
        catalog.TryGet(StableHash.Of("a"), out var item).ShouldBeTrue();
        (item!.Author, item.IsStub, item.FirstSeenMs, catalog.Count, catalog.Version).ShouldBe(("ann", false, 5, 1, 2));
        catalog.TryGet(StableHash.Of("b"), out _).ShouldBeFalse();
    }

    [Fact]
    public void Deleting_keeps_the_order_of_first_appearance_and_coming_back_goes_last()
    {
        var catalog = new ItemCatalog();
        foreach (var id in new[] { "c", "a", "b" }) catalog.Apply(Upsert(id, 1));
        catalog.Apply(new ItemChange("c", null, 2)).ShouldBeNull();
        catalog.Apply(new ItemChange("nobody", null, 2)).ShouldBeNull();
        catalog.Apply(Upsert("c", 3))!.FirstSeenMs.ShouldBe(3);
        catalog.All.Select(i => i.Id).ShouldBe(["a", "b", "c"]);
    }

    [Fact]
    public void Random_changes_agree_with_a_plain_list()
    {
        var catalog = new ItemCatalog();
        var plain = new List<string>();
        var random = new Random(4);
        for (var step = 0; step < 20_000; step++)
        {
            var id = $"i{random.Next(300)}";
            switch (random.Next(3))
            {
                case 0:
                    catalog.Apply(new ItemChange(id, null, step));
                    plain.Remove(id);
                    break;
                case 1:
                    catalog.AddStub(id, step).ShouldBe(!plain.Contains(id));
                    if (!plain.Contains(id)) plain.Add(id);
                    break;
                default:
                    catalog.Apply(Upsert(id, step));
                    if (!plain.Contains(id)) plain.Add(id);
                    break;
            }
            if (step % 100 != 0) continue;
            catalog.All.Select(i => i.Id).ShouldBe(plain);
            catalog.Count.ShouldBe(plain.Count);
        }
    }

    [Fact]
    public void Interest_keys_of_tags_categories_and_authors_differ()
    {
        var item = new Item("i") { Tags = ["x"], Categories = ["x"], Author = "x" };
        new HashSet<ulong> { item.TagKeys[0], item.CategoryKeys[0], item.AuthorKey, item.Key }.Count.ShouldBe(4);
        new Item("i").AuthorKey.ShouldBe(0UL);
    }

    [Fact]
    public void Birth_and_expiry()
    {
        new Item("i") { PublishedMs = 5, FirstSeenMs = 9 }.BornMs.ShouldBe(5);
        new Item("i") { FirstSeenMs = 9 }.BornMs.ShouldBe(9);
        var item = new Item("i") { ExpiresMs = 10 };
        (item.IsExpired(9), item.IsExpired(10), new Item("i").IsExpired(long.MaxValue - 1)).ShouldBe((false, true, false));
    }

    [Fact]
    public void Only_lists_made_before_an_item_went_or_whose_item_ends_need_be_gone_through()
    {
        static ItemChange Until(string id, long endMs) => new(id, new Item(id) { ExpiresMs = endMs }, 1);
        var catalog = new ItemCatalog();
        catalog.Apply(Upsert("a", 1));
        catalog.Pass(100);
        catalog.MayBar(50, 110).ShouldBeFalse();
        catalog.Apply(new ItemChange("a", null, 2));
        // Made while the change is being applied: nobody knows from which catalogue.
        catalog.MayBar(1_000, 1_000).ShouldBeTrue();
        catalog.Pass(120);
        catalog.MayBar(100, 130).ShouldBeTrue();
        catalog.MayBar(120, 130).ShouldBeTrue("a list of the round before may have the same millisecond");
        catalog.MayBar(121, 130).ShouldBeFalse();
        // A clock that goes back does not make lists of before look like lists of after.
        catalog.Pass(200);
        catalog.Apply(new ItemChange("a", null, 3));
        catalog.Pass(150);
        catalog.MayBar(199, 205).ShouldBeTrue();
        catalog.MayBar(201, 205).ShouldBeFalse();

        catalog.Apply(Until("b", 300));
        catalog.Pass(210);
        catalog.MayBar(210, 299).ShouldBeFalse();
        catalog.MayBar(210, 300).ShouldBeTrue("no round has come since");
        catalog.Pass(310);
        catalog.MayBar(299, 320).ShouldBeTrue();
        catalog.MayBar(300, 320).ShouldBeFalse();

        catalog.Apply(Until("c", 900));
        catalog.Pass(400);
        catalog.Apply(Until("c", 390));
        catalog.Pass(410);
        catalog.MayBar(405, 411).ShouldBeTrue("it was made with an item that ended sooner than was thought");
        catalog.MayBar(411, 420).ShouldBeFalse();
        for (var i = 0; i < 10_000; i++) catalog.Apply(Until("c", 1_000 + i));
        catalog.Pass(420);
        catalog.MayBar(415, 999).ShouldBeFalse();
        catalog.MayBar(415, 20_000).ShouldBeTrue();
    }

    [Fact]
    public void An_item_that_filters_judge_anew_is_known_to_have_changed_also_after_a_restart()
    {
        var rules = new ListingRules(new FeedsSettings
        {
            ExcludedCategories = ["barred"], MatchedAttributes = ["region"], Surfaces = new() { ["home"] = new SurfaceRule { RequiredCategories = ["news"] } },
        });
        const long At = 1_700_000_000_000;
        static ItemChange Of(string id, string category, string? region = null, string tag = "blue") => new(id, new Item(id)
        {
            Categories = [category], Tags = [tag], Attributes = region is null ? [] : [new("region", region), new("colour", tag)],
        }, At);
        var catalog = new ItemCatalog(rules);
        catalog.AddStub("stub", At);
        foreach (var id in (string[])["barred", "required", "region", "same"]) catalog.Apply(Of(id, "sport", "nl"));
        catalog.Pass(100);
        catalog.Apply(Of("barred", "barred", "nl"));
        catalog.Apply(Of("required", "news", "nl"));
        catalog.Apply(Of("region", "sport", "fr"));
        catalog.Apply(Of("same", "travel", "nl", "red"));
        catalog.Apply(Of("stub", "barred"));
        string[] ruled = ["barred", "required", "region", "stub"];
        bool Is(ItemCatalog of, string id, long builtMs) => of.IsRuledAnew(StableHash.Of(id), builtMs);
        // Nobody knows from which catalogue a list of this moment was made.
        ruled.All(id => Is(catalog, id, 1_000)).ShouldBeTrue();
        catalog.Pass(120);
        Is(catalog, "same", 0).ShouldBeFalse();
        ruled.All(id => Is(catalog, id, 120) && !Is(catalog, id, 121)).ShouldBeTrue();
        catalog.MayBar(120, 130).ShouldBeTrue();

        var file = new MemoryStream();
        var writer = new CheckpointWriter(file, 1);
        CatalogCodec.Save(catalog, writer);
        writer.Finish();
        file.Position = 0;
        var loaded = new ItemCatalog(rules);
        CatalogCodec.Load(loaded, new CheckpointReader(file, 1, "the catalogue"));
        ruled.All(id => Is(loaded, id, 120) && !Is(loaded, id, 121)).ShouldBeTrue();
        loaded.All.Select(i => i.Id).ShouldBe(catalog.All.Select(i => i.Id));
        loaded.Apply(new ItemChange("region", null, At));
        Is(loaded, "region", 0).ShouldBeFalse();
        // Where no filter is set nothing is kept.
        var free = new ItemCatalog(new ListingRules(new FeedsSettings()));
        free.Apply(Of("region", "sport", "nl"));
        free.Apply(Of("region", "barred", "fr"));
        Is(free, "region", 0).ShouldBeFalse();
    }
}
