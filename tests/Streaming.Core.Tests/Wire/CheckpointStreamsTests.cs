using System.Text;
using Streaming.Core.Wire;

namespace Streaming.Core.Tests.Wire;

public sealed class CheckpointStreamsTests
{
    [Theory]
    [InlineData("123456789", 0xE3069283)]
    [InlineData("", 0u)]
    [InlineData("a", 0xC1D04330)]
    public void Crc32C_equals_the_published_vectors(string text, uint expected) =>
        Crc32C.Of(Encoding.ASCII.GetBytes(text)).ShouldBe(expected);

    [Fact]
    public void What_was_written_is_read_and_a_changed_or_cut_byte_is_found()
    {
        var good = Written();
        Read(good);
        for (var at = 0; at < good.Length; at++)
        {
            var bad = (byte[])good.Clone();
            bad[at] ^= 1;
            Should.Throw<InvalidDataException>(() => Read(bad), $"byte {at}");
            Should.Throw<InvalidDataException>(() => Read(good[..at]), $"cut at {at}");
        }
    }

    private static byte[] Written()
    {
        var stream = new MemoryStream();
        var writer = new CheckpointWriter(stream, 2);
        writer.Int32(-5);
        writer.Int64(long.MaxValue);
        writer.Single(1.5f);
        writer.Double(-2.25);
        writer.String("grün");
        writer.Values<int>([1, 2, 3]);
        writer.Finish();
        return stream.ToArray();
    }

    private static void Read(byte[] bytes)
    {
        var reader = new CheckpointReader(new MemoryStream(bytes), 2, "test part");
        reader.Version.ShouldBe((byte)2);
        var read = (reader.Int32(), reader.Int64(), reader.Single(), reader.Double(), reader.String(100));
        var values = new int[3];
        reader.Values(values.AsSpan());
        reader.Finish();
        read.ShouldBe((-5, long.MaxValue, 1.5f, -2.25, "grün"));
        values.ShouldBe([1, 2, 3]);
    }
}
