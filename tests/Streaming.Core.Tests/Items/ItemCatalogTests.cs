using Streaming.Core.Ids;
using Streaming.Core.Items;

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
}
