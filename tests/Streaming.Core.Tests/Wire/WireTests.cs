using System.Buffers;
using System.Text;
using System.Text.Json;
using Streaming.Core.Wire;

namespace Streaming.Core.Tests.Wire;

public sealed class ByteWriterReaderTests
{
    [Fact]
    public void Every_form_comes_back()
    {
        var writer = new ByteWriter(1);
        ulong[] unsigned = [0, 1, 127, 128, 16383, 16384, uint.MaxValue, ulong.MaxValue];
        long[] signed = [0, -1, 1, -64, 64, int.MinValue, long.MinValue, long.MaxValue];
        string?[] strings = [null, "", "a", "é\0😀", new('x', 1000)];
        foreach (var v in unsigned) writer.VarInt(v);
        foreach (var v in signed) writer.Signed(v);
        foreach (var v in strings) writer.String(v);
        foreach (var v in strings) writer.String(v);
        foreach (var v in strings) writer.String(v);
        writer.Byte(7);
        writer.Bool(true);
        writer.UInt32(uint.MaxValue);
        writer.UInt64(ulong.MaxValue);
        writer.Int64(long.MinValue);
        writer.Single(-0f);
        writer.Double(double.Epsilon);
        writer.Bytes([1, 2, 3]);
        writer.Singles([1.5f, float.NaN]);
        writer.Singles([2.5f]);
        writer.Raw([9, 9]);

        var reader = new ByteReader(writer.WrittenSpan);
        foreach (var v in unsigned) reader.VarInt().ShouldBe(v);
        foreach (var v in signed) reader.Signed().ShouldBe(v);
        foreach (var v in strings) reader.String().ShouldBe(v);
        foreach (var v in strings) reader.Name(StringCache.Shared).ShouldBe(v ?? "");
        foreach (var v in strings) Encoding.UTF8.GetString(reader.StringBytes()).ShouldBe(v ?? "");
        reader.Byte().ShouldBe((byte)7);
        reader.Bool().ShouldBeTrue();
        reader.UInt32().ShouldBe(uint.MaxValue);
        reader.UInt64().ShouldBe(ulong.MaxValue);
        reader.Int64().ShouldBe(long.MinValue);
        BitConverter.SingleToInt32Bits(reader.Single()).ShouldBe(BitConverter.SingleToInt32Bits(-0f));
        reader.Double().ShouldBe(double.Epsilon);
        reader.Bytes().ToArray().ShouldBe([1, 2, 3]);
        reader.Singles().ShouldBe([1.5f, float.NaN]);
        var one = new float[1];
        reader.Singles(one);
        one[0].ShouldBe(2.5f);
        reader.Raw(2).ToArray().ShouldBe([9, 9]);
        reader.AtEnd.ShouldBeTrue();
    }

    [Fact]
    public void The_bytes_are_little_endian_and_fixed()
    {
        var writer = new ByteWriter();
        writer.UInt32(0x01020304);
        writer.VarInt(300);
        writer.Signed(-3);
        writer.String("hé");
        writer.String(null);
        writer.Single(1f);
        Convert.ToHexStringLower(writer.WrittenSpan).ShouldBe("04030201" + "ac02" + "05" + "0468c3a9" + "00" + "0000803f");
    }

    [Fact]
    public void Corrupt_input_is_a_format_error_and_allocates_no_more_than_it_has()
    {
        Refuses([], static (ref ByteReader r) => r.Byte());
        Refuses([1, 2, 3], static (ref ByteReader r) => r.UInt32());
        Refuses([2], static (ref ByteReader r) => r.Bool());
        Refuses([0x80], static (ref ByteReader r) => r.VarInt());
        Refuses([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], static (ref ByteReader r) => r.VarInt());
        Refuses([0xff, 0xff, 0xff, 0xff, 0x7f, 0], static (ref ByteReader r) => r.Bytes());
        Refuses([0xff, 0xff, 0xff, 0xff, 0x7f, 0], static (ref ByteReader r) => r.String());
        Refuses([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0], static (ref ByteReader r) => r.StringBytes());
        Refuses([0xff, 0xff, 0xff, 0xff, 0x7f, 0], static (ref ByteReader r) => r.Name(StringCache.Shared));
        Refuses([2, 0, 0, 0, 0, 0, 0, 0], static (ref ByteReader r) => r.Singles());
        Refuses([1, 0, 0, 0, 0], static (ref ByteReader r) => r.Singles(new float[2]));
        Refuses([0xfe, 0xff, 0xff, 0xff, 0x1f], static (ref ByteReader r) => r.SignedInt32());
        Refuses([0], static (ref ByteReader r) => r.Version(1, "it"));
        Refuses([2], static (ref ByteReader r) => r.Version(1, "it"));
        Refuses([1], static (ref ByteReader r) => r.Raw(-1));
    }

    private delegate void ReadWith(ref ByteReader reader);

    private static void Refuses(byte[] bytes, ReadWith read) => Should.Throw<FormatException>(() =>
    {
        var reader = new ByteReader(bytes);
        read(ref reader);
    });

    [Fact]
    public void It_is_a_buffer_writer_and_its_past_can_be_filled_in()
    {
        var writer = new ByteWriter(2);
        writer.Skip(4);
        IBufferWriter<byte> buffer = writer;
        buffer.Write("hello"u8);
        writer.Written(0, 4).Fill((byte)'.');
        Encoding.UTF8.GetString(writer.WrittenSpan).ShouldBe("....hello");
        Should.Throw<ArgumentOutOfRangeException>(() => writer.Written(5, 5));
        Should.Throw<ArgumentOutOfRangeException>(() => writer.Advance(1 << 20));
        Should.Throw<ArgumentOutOfRangeException>(() => writer.Advance(-1));
        writer.Clear();
        writer.Length.ShouldBe(0);
    }
}

public sealed class StringCacheTests
{
    [Fact]
    public void It_gives_the_same_string_again_and_never_a_wrong_one()
    {
        var cache = new StringCache();
        cache.Get("home"u8).ShouldBeSameAs(cache.Get("home"u8));
        for (var i = 0; i < 20_000; i++) cache.Get(Encoding.UTF8.GetBytes($"name-é-{i}")).ShouldBe($"name-é-{i}");
        var bytes = new byte[StringCache.BytesMax + 1];
        Array.Fill(bytes, (byte)'x');
        cache.Get(bytes).ShouldBe(new string('x', bytes.Length));
        cache.Get(bytes.AsSpan(1)).ShouldBe(new string('x', bytes.Length - 1));
        cache.Get([]).ShouldBe("");
    }
}

public sealed class JsonTextTests
{
    [Fact]
    public void Every_character_is_read_back_by_another_parser()
    {
        var writer = new ByteWriter();
        for (var c = 0; c < 0x10000; c += c < 0x300 ? 1 : 61)
        {
            if (char.IsSurrogate((char)c)) continue;
            var text = $"a{(char)c}b😀{(char)c}";
            writer.Clear();
            writer.JsonString(text);
            JsonSerializer.Deserialize<string>(writer.WrittenSpan).ShouldBe(text);
            JsonText.EscapedLength(Encoding.UTF8.GetBytes(text)).ShouldBe(writer.Length - 2);
        }
        writer.Clear();
        writer.JsonString("\ud800");
        JsonSerializer.Deserialize<string>(writer.WrittenSpan).ShouldBe("\ufffd");
    }

    [Fact]
    public void Numbers_are_read_back_to_the_bit()
    {
        var writer = new ByteWriter();
        var random = new Random(2);
        for (var i = 0; i < 5000; i++)
        {
            var d = BitConverter.Int64BitsToDouble(random.NextInt64());
            var f = BitConverter.Int32BitsToSingle(random.Next());
            if (!double.IsFinite(d) || !float.IsFinite(f)) continue;
            writer.Clear();
            writer.JsonNumber(d);
            JsonSerializer.Deserialize<double>(writer.WrittenSpan).ShouldBe(d);
            writer.Clear();
            writer.JsonNumber(f);
            JsonSerializer.Deserialize<float>(writer.WrittenSpan).ShouldBe(f);
        }
        writer.Clear();
        writer.JsonNumber(long.MinValue);
        Encoding.UTF8.GetString(writer.WrittenSpan).ShouldBe("-9223372036854775808");
        Should.Throw<ArgumentException>(() => writer.JsonNumber(double.NaN));
        Should.Throw<ArgumentException>(() => writer.JsonNumber(float.NegativeInfinity));
    }
}
