using Streaming.Core.Ids;
using Streaming.Core.Items;
using Streaming.Models.Embeddings;
using Streaming.Models.Layers;

namespace Streaming.Models.Tests;

public sealed class TableLookupTests
{
    [Fact]
    public void Keys_are_numbered_once_in_order_and_padding_is_0()
    {
        var numbers = new KeyNumbers();
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < 5_000; i++)
            {
                numbers.Add((ulong)(i * 7 + round + 1)).ShouldBe(i + 1);
                if (i % 10 == 0) numbers.Add((ulong)(i / 2 * 7 + round + 1), out var isNew).ShouldBe(i / 2 + 1);
            }
            numbers.Add(0).ShouldBe(0);
            numbers.Count.ShouldBe(5_001);
            numbers.Keys[0].ShouldBe(0UL);
            numbers.Clear();
            numbers.Count.ShouldBe(1);
        }
    }

    [Fact]
    public void Predicting_creates_nothing_and_refused_keys_are_zeros()
    {
        var table = new EmbeddingTable(new EmbeddingTableOptions(3, 0, AdmitCount: 2, PendingMax: 16));
        var lookup = new TableLookup(table, new RowSgd(1f));
        void Look(bool learning)
        {
            lookup.Begin();
            // Twice in the mini-batch: counts once.
            lookup.Add(5).ShouldBe(1);
            lookup.Add(5).ShouldBe(1);
            lookup.Gather(learning, 1);
            lookup.Apply(new float[] { 9, 9, 9, 1, 2, 3 }, 1);
        }
        Look(learning: false);
        Look(learning: true);
        lookup.Values.ToArray().ShouldAllBe(v => v == 0);
        table.Count.ShouldBe(0);
        Look(learning: true);
        table.TryGet(5, out var row).ShouldBeTrue();
        for (var i = 0; i < 3; i++) row[i].ShouldBe(lookup.Values[3 + i] - (i + 1));
        lookup.Values[3].ShouldNotBe(0f);
    }

    [Fact]
    public void An_item_is_its_row_beside_the_mean_of_its_side_rows_and_gradients_go_back_alike()
    {
        var catalog = new ItemCatalog();
        catalog.Apply(new ItemChange("x", new Item("x") { Categories = ["c"], Tags = ["t", "u"], Author = "a" }, 0));
        var (items, sides) = (new EmbeddingTable(new EmbeddingTableOptions(1, 0)), new EmbeddingTable(new EmbeddingTableOptions(1, 0)));
        var lookup = new ItemLookup(items, sides, new RowSgd(1f), catalog, sideMax: 3);
        lookup.Begin();
        var (x, unknown) = (lookup.Add(StableHash.Of("x")), lookup.Add(StableHash.Of("unknown")));
        lookup.Gather(learning: true, 0);
        float Row(EmbeddingTable table, ulong key) => table.TryGet(key, out var row) ? row[0] : float.NaN;
        ulong[] known = [InterestKey.Category("c"), InterestKey.Author("a"), InterestKey.Tag("t")];
        var before = known.Select(k => Row(sides, k)).ToArray();
        var own = Row(items, StableHash.Of("x"));
        lookup.Values[x * 2].ShouldBe(own);
        lookup.Values[x * 2 + 1].ShouldBe(before.Average(), 1e-6f);
        lookup.Values[unknown * 2 + 1].ShouldBe(0f);
        float.IsNaN(Row(sides, InterestKey.Tag("u"))).ShouldBeTrue();
        var gradients = lookup.ClearedGradients();
        (gradients[x * 2], gradients[x * 2 + 1]) = (2f, 6f);
        lookup.Apply(0);
        Row(items, StableHash.Of("x")).ShouldBe(own - 2f);
        for (var i = 0; i < 3; i++) Row(sides, known[i]).ShouldBe(before[i] - 2f, 1e-6f);
    }
}
