using Streaming.Suites;
using Streaming.Core.Ids;
using Streaming.Models.Embeddings;

namespace Streaming.Models.Tests;

public sealed class EmbeddingTableTests
{
    private static readonly EmbeddingTableOptions Options = new(Dim: 4, StateSize: 1, RowsMax: 100_000, Seed: 5);

    /// <summary>A checkpoint of version 1, packed by independent code: two rows, one of them free.</summary>
    private const string Golden =
        "AQIAAAABAAAAAQAAAAIAAAABAAAAAAAAAAAAAAAWAAAAAAAAAAUAAAAAAAAA6AMAAAAAAAAAAAAAAAAAAAAAAAAAAMA/AAAAwAAA"
        + "gD4BAAAAAAAAAAAAAAAAAAAAAACfIqAi";

    [Fact]
    public void Every_key_has_its_own_row()
    {
        var table = new EmbeddingTable(Options);
        for (var key = 1UL; key <= 20_000; key++)
        {
            table.GetOrAdmit(key, 0, out var row, out var state).ShouldBeTrue();
            row.Fill(key);
            state[0] = key;
        }
        table.Count.ShouldBe(20_000);
        for (var key = 1UL; key <= 20_000; key++)
        {
            table.TryGet(key, out var row).ShouldBeTrue();
            row.IndexOfAnyExcept((float)key).ShouldBe(-1);
        }
        table.TryGet(20_001, out _).ShouldBeFalse();
    }

    [Fact]
    public void First_values_depend_on_key_and_seed_and_not_on_order()
    {
        var (forth, back) = (new EmbeddingTable(Options), new EmbeddingTable(Options));
        for (var key = 1UL; key <= 100; key++) forth.GetOrAdmit(key, 0, out _, out _);
        for (var key = 100UL; key >= 1; key--) back.GetOrAdmit(key, 0, out _, out _);
        for (var key = 1UL; key <= 100; key++) Row(forth, key).ShouldBe(Row(back, key));
        Row(forth, 1).ShouldNotBe(Row(forth, 2));
        Row(forth, 1).ShouldAllBe(v => Math.Abs(v) <= 0.1f);
        var other = new EmbeddingTable(Options with { Seed = 6 });
        other.GetOrAdmit(1, 0, out _, out _);
        Row(other, 1).ShouldNotBe(Row(forth, 1));
    }

    [Fact]
    public void A_key_is_admitted_at_its_nth_occurrence()
    {
        var table = new EmbeddingTable(Options with { AdmitCount = 3 });
        table.GetOrAdmit(9, 0, out _, out _).ShouldBeFalse();
        table.GetOrAdmit(9, 0, out _, out _).ShouldBeFalse();
        table.GetOrAdmit(9, 0, out _, out _).ShouldBeTrue();
        table.Count.ShouldBe(1);
    }

    [Fact]
    public void Once_seen_keys_neither_get_a_row_nor_hold_back_a_frequent_one()
    {
        var table = new EmbeddingTable(Options with { AdmitCount = 3, PendingMax = 64 });
        var admittedAt = -1;
        for (var i = 0; i < 3000; i++)
        {
            table.GetOrAdmit(1_000_000 + (ulong)i, 0, out _, out _);
            if (i % 8 == 0 && table.GetOrAdmit(7, 0, out _, out _) && admittedAt < 0) admittedAt = i;
        }
        admittedAt.ShouldBeInRange(0, 1000);
        table.Count.ShouldBeLessThan(30);
    }

    [Fact]
    public void A_full_table_refuses_until_rows_expire()
    {
        var table = new EmbeddingTable(Options with { RowsMax = 10 });
        for (var key = 1UL; key <= 10; key++) table.GetOrAdmit(key, (long)key, out _, out _).ShouldBeTrue();
        table.GetOrAdmit(11, 20, out _, out _).ShouldBeFalse();
        table.Sweep(olderThanMs: 4, rowsMax: 100).ShouldBe(3);
        table.GetOrAdmit(11, 20, out _, out _).ShouldBeTrue();
        table.Count.ShouldBe(8);
    }

    [Fact]
    public void A_sweep_is_bounded_and_comes_round()
    {
        var table = new EmbeddingTable(Options);
        for (var key = 1UL; key <= 100; key++) table.GetOrAdmit(key, 0, out _, out _);
        table.Sweep(1, 30).ShouldBe(30);
        table.Count.ShouldBe(70);
        table.Sweep(1, 30).ShouldBe(30);
        table.Sweep(1, 70).ShouldBe(40);
        table.Count.ShouldBe(0);
        table.Keys.ShouldBeEmpty();
    }

    [Fact]
    public void Expired_rows_start_anew()
    {
        var table = new EmbeddingTable(Options);
        table.GetOrAdmit(5, 0, out var row, out var state);
        var first = row.ToArray();
        row.Fill(9);
        state[0] = 9;
        table.Sweep(1, 10);
        table.GetOrAdmit(5, 2, out row, out state).ShouldBeTrue();
        row.ToArray().ShouldBe(first);
        state[0].ShouldBe(0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void It_agrees_with_a_dictionary_under_random_use(int seed)
    {
        var table = new EmbeddingTable(Options);
        var model = new Dictionary<ulong, (float Value, long Touched)>();
        var random = new Random(seed);
        for (var now = 0L; now < 50_000; now++)
        {
            var key = StableHash.Finalise((ulong)random.Next(1, 5000));
            table.GetOrAdmit(key, now, out var row, out _);
            if (!model.ContainsKey(key)) row[0] = now;
            row[0] += 1;
            model[key] = (model.TryGetValue(key, out var old) ? old.Value + 1 : now + 1, now);
            if (now % 1000 != 999) continue;
            table.Sweep(now - 2000, int.MaxValue);
            foreach (var (stale, _) in model.Where(m => m.Value.Touched < now - 2000).ToList()) model.Remove(stale);
            table.Count.ShouldBe(model.Count);
            foreach (var (k, v) in model) Row(table, k)[0].ShouldBe(v.Value);
        }
    }

    [Fact]
    public void Save_load_continue_equals_never_having_stopped()
    {
        var options = Options with { AdmitCount = 2, PendingMax = 256 };
        var whole = new EmbeddingTable(options);
        Use(whole, 0, 4000);
        var half = new EmbeddingTable(options);
        Use(half, 0, 2000);
        var resumed = new EmbeddingTable(options);
        resumed.Load(new MemoryStream(Bytes(half)));
        Use(resumed, 2000, 4000);
        Bytes(resumed).ShouldBe(Bytes(whole));
    }

    [Fact]
    public void A_corrupt_checkpoint_is_refused_and_changes_nothing()
    {
        var table = new EmbeddingTable(Options);
        Use(table, 0, 200);
        var good = Bytes(table);
        for (var at = 0; at < good.Length; at += 97)
        {
            var bad = (byte[])good.Clone();
            bad[at] ^= 0x80;
            Should.Throw<InvalidDataException>(() => table.Load(new MemoryStream(bad)), $"byte {at}");
            Should.Throw<InvalidDataException>(() => table.Load(new MemoryStream(good[..at])), $"cut at {at}");
        }
        Bytes(table).ShouldBe(good);
    }

    [Fact]
    public void Version_1_is_still_read()
    {
        var table = new EmbeddingTable(Options with { Dim = 2 });
        table.Load(new MemoryStream(Convert.FromBase64String(Golden)));
        table.Count.ShouldBe(1);
        Row(table, 22).ShouldBe([1.5f, -2f]);
        Convert.ToBase64String(Bytes(table)).ShouldBe(Golden);
        table.Sweep(1001, 10).ShouldBe(1);
    }

    [Fact]
    public void A_warm_table_allocates_nothing()
    {
        var table = new EmbeddingTable(Options);
        Use(table, 0, 1000);
        Allocated.Bytes(() =>
        {
            for (var key = 1UL; key < 500; key++)
            {
                table.GetOrAdmit(key, 5, out var row, out _);
                table.TryGet(key, out var read);
                row[0] = read[1];
            }
        }).ShouldBe(0);
    }

    private static void Use(EmbeddingTable table, int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            var key = 1 + StableHash.Finalise((ulong)i) % 700;
            if (table.GetOrAdmit(key, i, out var row, out var state))
            {
                row[i % 4] += 0.5f;
                state[0] += i;
            }
            if (i % 50 == 0) table.Sweep(i - 600, 40);
        }
    }

    private static float[] Row(EmbeddingTable table, ulong key)
    {
        table.TryGet(key, out var row).ShouldBeTrue($"key {key}");
        return row.ToArray();
    }

    private static byte[] Bytes(EmbeddingTable table)
    {
        var stream = new MemoryStream();
        table.Save(stream);
        return stream.ToArray();
    }
}
