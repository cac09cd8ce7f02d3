using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Storage.Log;
using Streaming.Storage.State;

namespace Streaming.Storage.Tests;

/// <summary>Bytes on disk of version 1. A golden never changes; a new version adds one.</summary>
public sealed class GoldenTests
{
    private const string RecordHex = "015447169980A0D5EDEE6606757365722D3176616C7565";
    private const string ErasedHex = "0224CD25C9000000000000000000000000000000000000";
    private const string PositionsHex = "01FB3ECD7202004001808080808020";
    private const string ListsHex = "010204686F6D6501610566697273740664657461696C0162067365636F6E64";
    private const string ManifestHex = "011DE1B22833221100554477668899AABBCCDDEEFFCCDDEEFFAABB8899776655443322110040000000000000000000100000000000011D696E6465782D636865636B706F696E74732F782F68742E6461742E300010000000000000EFBEADDE";

    /// <summary>The check value of CRC-32C in the catalogue of CRC algorithms (CRC-32/ISCSI).</summary>
    [Fact]
    public void The_checksum_is_crc_32c()
    {
        Crc32C.Of("123456789"u8).ShouldBe(0xE3069283);
        (~Crc32C.Append(Crc32C.Append(Crc32C.Seed, "12345678"u8), "9"u8)).ShouldBe(0xE3069283);
    }

    [Fact]
    public void A_log_record()
    {
        var record = new LogRecord(new LogEntry("user-1"u8.ToArray(), "value"u8.ToArray(), 1_767_225_600_000));
        var stored = new byte[record.SerializedLength];
        record.SerializeTo(stored);
        Convert.ToHexString(stored).ShouldBe(RecordHex);
        LogRecord.TryParse(Convert.FromHexString(RecordHex), out var timeMs, out var key, out var value).ShouldBeTrue();
        timeMs.ShouldBe(1_767_225_600_000);
        key.SequenceEqual("user-1"u8).ShouldBeTrue();
        value.SequenceEqual("value"u8).ShouldBeTrue();
    }

    [Fact]
    public void A_damaged_log_record_is_not_taken()
    {
        var stored = Convert.FromHexString(RecordHex);
        for (var length = 0; length < stored.Length; length++)
            LogRecord.TryParse(stored.AsSpan(0, length), out _, out _, out _).ShouldBeFalse();
        for (var bit = 0; bit < stored.Length * 8; bit++)
        {
            stored[bit / 8] ^= (byte)(1 << (bit % 8));
            LogRecord.TryParse(stored, out _, out _, out _).ShouldBeFalse();
            stored[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void An_erased_log_record_keeps_its_length_and_nothing_else()
    {
        var stored = Convert.FromHexString(RecordHex);
        LogRecord.Erase(stored);
        Convert.ToHexString(stored).ShouldBe(ErasedHex);
        LogRecord.IsErased(stored).ShouldBeTrue();
        LogRecord.TryParse(stored, out _, out _, out _).ShouldBeFalse();
        stored[^1] ^= 1;
        LogRecord.IsErased(stored).ShouldBeFalse();
    }

    [Fact]
    public void A_groups_positions()
    {
        using var folder = new TempFolder();
        var groups = new GroupPositions(folder.Path, sync: false);
        groups.Commit("trainer/1", [new LogPosition(1, 1L << 40), new LogPosition(0, 64)]);
        var path = folder.Sub("trainer%2F1.positions");
        Convert.ToHexString(File.ReadAllBytes(path)).ShouldBe(PositionsHex);
        File.WriteAllBytes(path, Convert.FromHexString(PositionsHex));
        new GroupPositions(folder.Path, sync: false).Committed("trainer/1").ShouldBe([new LogPosition(0, 64), new LogPosition(1, 1L << 40)]);
        File.WriteAllBytes(path, Convert.FromHexString(PositionsHex)[..^1]);
        Should.Throw<EventLogException>(() => new GroupPositions(folder.Path, sync: false)).Message.ShouldContain("damaged");
    }

    [Fact]
    public void A_users_lists()
    {
        var first = new ByteWriter();
        UserLists.Replace(default, "home"u8, "a"u8, "first"u8, 4, 1000, first);
        var both = new ByteWriter();
        UserLists.Replace(first.WrittenSpan, "detail"u8, "b"u8, "second"u8, 4, 1000, both);
        Convert.ToHexString(both.WrittenSpan).ShouldBe(ListsHex);
        UserLists.TryFind(Convert.FromHexString(ListsHex), "detail"u8, "b"u8, out var list).ShouldBeTrue();
        list.SequenceEqual("second"u8).ShouldBeTrue();
        var stored = Convert.FromHexString(ListsHex);
        for (var length = 0; length < stored.Length; length++)
        {
            var cut = stored[..length];
            Should.Throw<FormatException>(() => UserLists.TryFind(cut, "absent"u8, "b"u8, out _));
        }
    }

    [Fact]
    public void Lists_that_do_not_fit_a_page_push_the_oldest_out()
    {
        var lists = new ByteWriter();
        var list = new byte[300];
        for (var i = 0; i < 5; i++)
        {
            var next = new ByteWriter();
            UserLists.Replace(lists.WrittenSpan, "home"u8, [(byte)i], list, 100, 1000, next);
            next.Length.ShouldBeLessThanOrEqualTo(1000);
            lists = next;
        }
        for (var i = 0; i < 5; i++) UserLists.TryFind(lists.WrittenSpan, "home"u8, [(byte)i], out _).ShouldBe(i >= 2, $"list {i}");
    }

    [Fact]
    public void A_checkpoint_manifest()
    {
        var manifest = new CheckpointManifest(
            new Guid("00112233-4455-6677-8899-aabbccddeeff"), new Guid("ffeeddcc-bbaa-9988-7766-554433221100"), 64, 1 << 20,
            [new CheckpointManifest.Part("index-checkpoints/x/ht.dat.0", 4096, 0xDEADBEEF)]);
        Convert.ToHexString(manifest.ToBytes()).ShouldBe(ManifestHex);
        var parsed = CheckpointManifest.Parse(Convert.FromHexString(ManifestHex));
        (parsed with { Files = manifest.Files }).ShouldBe(manifest);
        parsed.Files.ShouldBe(manifest.Files);
        var stored = Convert.FromHexString(ManifestHex);
        for (var length = 0; length < stored.Length; length++)
        {
            var cut = stored[..length];
            Should.Throw<FormatException>(() => CheckpointManifest.Parse(cut));
        }
    }
}
