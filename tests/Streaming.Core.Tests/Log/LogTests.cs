using System.Text;
using Streaming.Core.Log;
using Streaming.Core.Wire;
using Streaming.Suites;

namespace Streaming.Core.Tests.Log;

public sealed class LogPositionTests
{
    [Theory]
    [InlineData("0:0", 0, 0)]
    [InlineData("12:345", 12, 345)]
    [InlineData("2147483647:9223372036854775807", int.MaxValue, long.MaxValue)]
    public void What_prints_parses(string text, int partition, long offset)
    {
        LogPosition.TryParse(text, out var position).ShouldBeTrue();
        position.ShouldBe(new LogPosition(partition, offset));
        position.ToString().ShouldBe(text);
    }

    [Theory]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("1")]
    [InlineData(":1")]
    [InlineData("1:")]
    [InlineData("-1:1")]
    [InlineData("1:-1")]
    [InlineData("+1:1")]
    [InlineData(" 1:1")]
    [InlineData("1:1 ")]
    [InlineData("1:1:1")]
    [InlineData("1,0:1")]
    [InlineData("2147483648:0")]
    [InlineData("0:9223372036854775808")]
    public void Anything_else_does_not(string text) => LogPosition.TryParse(text, out _).ShouldBeFalse();
}

public sealed class LogBatchTests
{
    [Fact]
    public void Records_come_back_through_growth_and_reuse()
    {
        var batch = new LogBatch();
        var random = new Random(1);
        for (var round = 0; round < 3; round++)
        {
            batch.Clear(partition: round, nextOffset: 10);
            (batch.Count, batch.Partition, batch.NextOffset).ShouldBe((0, round, 10L));
            var expected = new List<(long Offset, byte[] Key, byte[] Value)>();
            for (var i = 0; i < 1000; i++)
            {
                var key = new byte[random.Next(20)];
                var value = new byte[random.Next(400)];
                random.NextBytes(key);
                random.NextBytes(value);
                batch.Add(10 + i * 3, 13 + i * 3, 500 + i, key, value);
                expected.Add((10 + i * 3, key, value));
            }
            batch.Count.ShouldBe(1000);
            batch.NextOffset.ShouldBe(10 + 3000);
            for (var i = 0; i < 1000; i++)
            {
                (batch.Offset(i), batch.TimeMs(i)).ShouldBe((expected[i].Offset, 500L + i));
                batch.Key(i).Span.SequenceEqual(expected[i].Key).ShouldBeTrue();
                batch.Value(i).Span.SequenceEqual(expected[i].Value).ShouldBeTrue();
            }
        }
        batch.Clear(0, 0);
        Should.Throw<ArgumentOutOfRangeException>(() => batch.Value(0));
    }

    [Fact]
    public void Once_warm_it_allocates_nothing()
    {
        var batch = new LogBatch();
        var value = new byte[100];
        var bytes = Allocated.PerCall(() =>
        {
            batch.Clear(0, 0);
            for (var i = 0; i < 100; i++) batch.Add(i, i + 1, 0, value, value);
        });
        bytes.ShouldBeLessThan(1);
    }
}

public sealed class DeadLetterTests
{
    private static byte[] Bytes(DeadLetter letter)
    {
        var writer = new ByteWriter();
        letter.Write(writer);
        return writer.WrittenSpan.ToArray();
    }

    private static DeadLetter Letter(byte[] payload) => new("user is \"missing\"", "events", new LogPosition(2, 77), 1_714_564_800_000, payload);

    private static void ComesBack(byte[] payload)
    {
        var letter = Letter(payload);
        var back = DeadLetter.Read(Bytes(letter));
        back.Payload.Span.SequenceEqual(payload).ShouldBeTrue();
        (back with { Payload = letter.Payload }).ShouldBe(letter);
    }

    [Fact]
    public void The_form_of_version_1_is_fixed()
    {
        Encoding.UTF8.GetString(Bytes(Letter("{\"type\":1}"u8.ToArray()))).ShouldBe(
            """{"version":1,"reason":"user is \"missing\"","topic":"events","partition":2,"offset":77,"time":1714564800000,"payload":"{\"type\":1}"}""");
        Encoding.UTF8.GetString(Bytes(Letter([0xff, 0]))).ShouldBe(
            """{"version":1,"reason":"user is \"missing\"","topic":"events","partition":2,"offset":77,"time":1714564800000,"payload_base64":"/wA="}""");
    }

    [Fact]
    public void Every_payload_comes_back_byte_for_byte()
    {
        ComesBack([]);
        ComesBack("a\0b\n\"\\é😀"u8.ToArray());
        ComesBack(new byte[5000]);
        var random = new Random(3);
        for (var i = 0; i < 300; i++)
        {
            var bytes = new byte[random.Next(300)];
            random.NextBytes(bytes);
            ComesBack(bytes);
        }
        foreach (var (_, bytes) in MalformedEvents.Generate(5, 500)) ComesBack(bytes);
    }

    [Fact]
    public void Escaping_never_makes_a_payload_longer_than_base64_would()
    {
        var length = Bytes(Letter(new byte[300_000])).Length;
        length.ShouldBeLessThan(300_000 * 4 / 3 + 300);
    }

    [Fact]
    public void Positions_that_do_not_exist_are_kept()
    {
        var letter = new DeadLetter("no", "http", new LogPosition(-1, -1), 5, ReadOnlyMemory<byte>.Empty);
        DeadLetter.Read(Bytes(letter)).Source.ShouldBe(new LogPosition(-1, -1));
    }

    [Fact]
    public void Corrupt_bytes_are_refused()
    {
        var sound = Bytes(Letter([0xff, 1, 2, 3]));
        Corrupt.Refused(sound, 1, 2000, b => DeadLetter.Read(b)).ShouldBeGreaterThanOrEqualTo(sound.Length);
        foreach (var other in new[] { "null", "[]", "{}", "{\"version\":2}", "{\"version\":1,\"payload\":null}", "{\"version\":1,\"payload\":5}" })
            Should.Throw<FormatException>(() => DeadLetter.Read(Encoding.UTF8.GetBytes(other)));
    }
}
