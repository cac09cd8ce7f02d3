using Streaming.Core.Ids;
using Streaming.Core.Wire;
using Streaming.Models.Embeddings;
using Streaming.Suites;

namespace Streaming.Models.Tests;

public sealed class EmbeddingDeltaTests
{
    private static readonly EmbeddingTableOptions Options = new(Dim: 4, StateSize: 1, RowsMax: 100_000, Seed: 5);

    /// <summary>A block of version 1, packed by independent code: key 7 is gone, key 22 holds 1.5 and -2.</summary>
    private const string Golden = "AQIAAAABAAAAAQAAAAcAAAAAAAAAFgAAAAAAAAAAAMA/AAAAwA==";

    [Theory]
    [InlineData(1, int.MaxValue)]
    [InlineData(2, 64)]
    [InlineData(3, 300)]
    public void A_copy_that_takes_every_delta_holds_the_same_values(int seed, int blockBytes)
    {
        var (writer, copy) = (new EmbeddingTable(Options) { TracksChanges = true }, new EmbeddingTable(Options with { AdmitCount = 3, PendingMax = 16 }));
        var random = new Random(seed);
        for (var now = 0; now < 6_000; now++)
        {
            if (writer.GetOrAdmit(StableHash.Finalise((ulong)random.Next(1, 800)), now, out var row, out var state))
            {
                row[now % 4] += 1;
                state[0]++;
            }
            if (now % 70 == 0) writer.Sweep(now - 500, 60);
            if (random.Next(100) > 0) continue;
            for (var more = true; more;)
            {
                var block = new ByteWriter();
                more = writer.WriteDelta(block, blockBytes);
                block.Length.ShouldBeLessThanOrEqualTo(blockBytes);
                Apply(copy, block);
            }
            ShouldHoldTheSame(copy, writer);
        }
        writer.IsDeltaComplete.ShouldBeTrue();
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(100)]
    public void All_rows_in_blocks_make_a_copy_of_anything(int blockBytes)
    {
        var (writer, copy) = (new EmbeddingTable(Options), new EmbeddingTable(Options));
        Use(writer, 0, 3000);
        Use(copy, 9000, 9500);
        copy.Clear();
        var cursor = 0;
        for (var more = true; more;)
        {
            var block = new ByteWriter();
            more = writer.WriteAll(block, ref cursor, blockBytes);
            Apply(copy, block);
        }
        ShouldHoldTheSame(copy, writer);
    }

    [Fact]
    public void A_delta_holds_what_was_handed_out_for_writing_and_nothing_else()
    {
        var table = new EmbeddingTable(Options);
        Use(table, 0, 1000);
        table.TracksChanges = true;
        table.GetOrAdmit(77, 2000, out _, out _);
        table.GetOrAdmit(78, 2000, out _, out _);
        table.GetOrAdmit(77, 2000, out _, out _);
        table.TryGet(79, out _);
        (table.ChangedRows, table.RemovedKeys).ShouldBe((2, 0));
        var block = new ByteWriter();
        table.WriteDelta(block).ShouldBeFalse();
        block.Length.ShouldBe(13 + 2 * (8 + 16));
        table.ChangedRows.ShouldBe(0);
        table.Sweep(1990, int.MaxValue).ShouldBeGreaterThan(100);
        table.Count.ShouldBe(2);
        table.ForgetChanges();
        table.RemovedKeys.ShouldBe(0);
    }

    [Fact]
    public void A_row_that_expires_and_comes_back_between_two_deltas_starts_anew_in_the_copy_too()
    {
        var (writer, copy) = (new EmbeddingTable(Options) { TracksChanges = true }, new EmbeddingTable(Options));
        writer.GetOrAdmit(5, 0, out var row, out _);
        row.Fill(9);
        Apply(copy, Delta(writer));
        writer.Sweep(1, 10).ShouldBe(1);
        writer.GetOrAdmit(6, 2, out _, out _);
        writer.GetOrAdmit(5, 2, out _, out _);
        Apply(copy, Delta(writer));
        ShouldHoldTheSame(copy, writer);
        writer.Sweep(3, 10).ShouldBe(2);
        Apply(copy, Delta(writer));
        copy.Count.ShouldBe(0);
    }

    [Fact]
    public void Values_are_taken_over_and_the_optimizer_state_of_common_rows_stays()
    {
        var (table, other) = (new EmbeddingTable(Options), new EmbeddingTable(Options));
        foreach (var key in (ulong[])[1, 2, 3])
        {
            table.GetOrAdmit(key, 0, out _, out var state);
            state[0] = key;
        }
        foreach (var key in (ulong[])[2, 3, 4])
        {
            other.GetOrAdmit(key, 0, out var row, out var state);
            (row[0], state[0]) = (key * 10, 99);
        }
        table.TracksChanges = true;
        table.TakeValues(other, touchedMs: 50);
        ShouldHoldTheSame(table, other);
        (table.ChangedRows, table.RemovedKeys).ShouldBe((0, 0));
        State(table, 2).ShouldBe(2f);
        State(table, 4).ShouldBe(0f);
        table.Sweep(50, 100);
        table.Keys.ShouldBe([4UL], ignoreOrder: true);

        static float State(EmbeddingTable table, ulong key) => table.GetOrAdmit(key, 0, out _, out var state) ? state[0] : float.NaN;
    }

    [Fact]
    public void A_corrupt_block_is_refused_and_changes_nothing()
    {
        var (writer, copy) = (new EmbeddingTable(Options) { TracksChanges = true }, new EmbeddingTable(Options));
        Use(writer, 0, 50);
        Use(copy, 0, 30);
        var before = Bytes(copy);
        var good = Delta(writer).WrittenSpan.ToArray();
        for (var cut = 0; cut < good.Length; cut += 7) Should.Throw<FormatException>(() => Apply(copy, good[..cut]), $"cut at {cut}");
        foreach (var at in (int[])[0, 1, 5, 6, 8, 9, 10, 12])
        {
            var bad = (byte[])good.Clone();
            bad[at] ^= 0x80;
            Should.Throw<FormatException>(() => Apply(copy, bad), $"byte {at}");
        }
        var zeroKey = (byte[])good.Clone();
        zeroKey.AsSpan(^24..^16).Clear();
        Should.Throw<FormatException>(() => Apply(copy, zeroKey)).Message.ShouldContain("key 0");
        Should.Throw<FormatException>(() => Apply(new EmbeddingTable(Options with { Dim = 3 }), good)).Message.ShouldContain("columns");
        Bytes(copy).ShouldBe(before);
    }

    [Fact]
    public void A_check_tells_values_that_are_not_finite()
    {
        var table = new EmbeddingTable(Options) { TracksChanges = true };
        table.GetOrAdmit(5, 0, out var row, out _);
        Check(Delta(table)).ShouldBeTrue();
        table.GetOrAdmit(5, 0, out row, out _);
        row[3] = float.NaN;
        Check(Delta(table)).ShouldBeFalse();

        bool Check(ByteWriter block)
        {
            var reader = new ByteReader(block.WrittenSpan);
            var finite = table.CheckDelta(ref reader);
            reader.AtEnd.ShouldBeTrue();
            return finite;
        }
    }

    [Fact]
    public void Version_1_is_still_read()
    {
        var table = new EmbeddingTable(Options with { Dim = 2 });
        table.GetOrAdmit(7, 0, out _, out _);
        Apply(table, Convert.FromBase64String(Golden));
        table.Keys.ShouldBe([22UL]);
        table.TryGet(22, out var row).ShouldBeTrue();
        row.ToArray().ShouldBe([1.5f, -2f]);

        var writer = new EmbeddingTable(Options with { Dim = 2 });
        writer.GetOrAdmit(7, 0, out _, out _);
        writer.TracksChanges = true;
        writer.Sweep(1, 1);
        writer.GetOrAdmit(22, 0, out var values, out _);
        (values[0], values[1]) = (1.5f, -2f);
        Convert.ToBase64String(Delta(writer).WrittenSpan).ShouldBe(Golden);
    }

    [Fact]
    public void A_warm_table_notes_writes_and_applies_changes_without_allocating()
    {
        var (writer, copy) = (new EmbeddingTable(Options) { TracksChanges = true }, new EmbeddingTable(Options));
        var block = new ByteWriter();
        Turn();
        Allocated.Bytes(Turn).ShouldBe(0);

        void Turn()
        {
            for (var key = 1UL; key < 500; key++) writer.GetOrAdmit(key, 5, out _, out _);
            writer.Sweep(6, 100);
            block.Clear();
            writer.WriteDelta(block);
            var reader = new ByteReader(block.WrittenSpan);
            copy.ApplyDelta(ref reader);
        }
    }

    private static void Use(EmbeddingTable table, int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            if (table.GetOrAdmit(1 + StableHash.Finalise((ulong)i) % 700, i, out var row, out _)) row[i % 4] += 0.5f;
            if (i % 50 == 0) table.Sweep(i - 600, 40);
        }
    }

    private static ByteWriter Delta(EmbeddingTable table)
    {
        var block = new ByteWriter();
        table.WriteDelta(block).ShouldBeFalse();
        return block;
    }

    private static void Apply(EmbeddingTable table, ByteWriter block) => Apply(table, block.WrittenSpan);

    private static void Apply(EmbeddingTable table, ReadOnlySpan<byte> block)
    {
        var reader = new ByteReader(block);
        table.ApplyDelta(ref reader);
        reader.AtEnd.ShouldBeTrue();
    }

    private static void ShouldHoldTheSame(EmbeddingTable copy, EmbeddingTable table)
    {
        copy.Keys.Order().ShouldBe(table.Keys.Order());
        foreach (var key in table.Keys)
        {
            table.TryGet(key, out var expected);
            copy.TryGet(key, out var row);
            row.SequenceEqual(expected).ShouldBeTrue($"key {key}");
        }
    }

    private static byte[] Bytes(EmbeddingTable table)
    {
        var stream = new MemoryStream();
        table.Save(stream);
        return stream.ToArray();
    }
}
