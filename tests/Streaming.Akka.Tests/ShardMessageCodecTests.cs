using System.Text;
using Streaming.Actors;
using Streaming.Core.Log;
using Streaming.Core.Wire;

namespace Streaming.Akka.Tests;

public sealed class ShardMessageCodecTests
{
    private static readonly UserHostCounts Counts = new(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);

    /// <summary>Bytes that some build has put on a wire: only added to, never changed.</summary>
    public static TheoryData<IShardMessage, string> Golden() => new()
    {
        { new ApplyRecords(3, new byte[] { 7, 8 }), "01-01-03-02-07-08" },
        { new DrainShard(300), "01-02-AC-02" },
        { new RefreshLists(1, 1000, 5, true), "01-03-01-E8-03-00-00-00-00-00-00-05" },
        { new RefreshLists(1, 1000, 5, false), "01-08-01-E8-03-00-00-00-00-00-00-05" },
        { new RequestList(1, "ü", ""), "01-04-01-03-C3-BC-01" },
        { new RequestList(1, "u", "", "a"), "01-0C-01-02-75-01-02-61" },
        { new GetUser(0, "u"), "01-05-00-02-75" },
        { new FlushShard(2), "01-06-02" },
        { new OpenShard(2, "n"), "01-09-02-02-6E" },
        { new CloseShard(2, true), "01-0A-02" },
        { new CloseShard(2, false), "01-0B-02" },
        { new ShardAnswer(Counts, 1, [9], null), "01-07-02-04-06-08-0A-0C-0E-10-12-14-01-01-01-09-00" },
        { new ShardAnswer(default, 0, null, "no"), "01-07-00-00-00-00-00-00-00-00-00-00-00-00-03-6E-6F" },
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void Messages_keep_their_bytes(IShardMessage message, string golden)
    {
        Hex(message).ShouldBe(golden);

        var read = ShardMessageCodec.Read(Convert.FromHexString(golden.Replace("-", "")));

        read.ShouldBeOfType(message.GetType());
        Hex(read).ShouldBe(golden);
    }

    [Fact]
    public void A_batch_comes_back_whole_from_any_cut()
    {
        var batch = new LogBatch();
        batch.Clear(5, 100);
        batch.ReceivedMs = 77;
        for (var i = 0; i < 7; i++)
            batch.Add(100 + i * 10, 110 + i * 10, 1000 + i, Encoding.UTF8.GetBytes($"user{i}"), Encoding.UTF8.GetBytes(new string('v', i)));

        for (var cut = 1; cut < 7; cut++)
        {
            var read = new LogBatch();
            ShardMessageCodec.DecodeBatch(ShardMessageCodec.EncodeBatch(batch, 0, cut), 5, read);
            (read.Partition, read.Count, read.NextOffset, read.ReceivedMs).ShouldBe((5, cut, 100 + cut * 10, 77));
            ShardMessageCodec.DecodeBatch(ShardMessageCodec.EncodeBatch(batch, cut, 7), 5, read);
            (read.Count, read.NextOffset).ShouldBe((7 - cut, 170));
            for (var i = 0; i < read.Count; i++)
            {
                read.Offset(i).ShouldBe(batch.Offset(cut + i));
                read.TimeMs(i).ShouldBe(batch.TimeMs(cut + i));
                read.Key(i).ToArray().ShouldBe(batch.Key(cut + i).ToArray());
                read.Value(i).ToArray().ShouldBe(batch.Value(cut + i).ToArray());
            }
        }
    }

    [Fact]
    public void Every_torn_message_is_refused()
    {
        foreach (var row in Golden())
        {
            var bytes = Convert.FromHexString(((string)row[1]).Replace("-", ""));
            for (var length = 0; length < bytes.Length; length++)
                Should.Throw<FormatException>(() => ShardMessageCodec.Read(bytes.AsSpan(0, length)));
        }
    }

    [Theory]
    [InlineData("02-02-00")]
    [InlineData("01-63-00")]
    [InlineData("01-02-FF-FF-FF-FF-FF-FF-FF-FF-FF-01")]
    [InlineData("01-01-00-FF-FF-FF-FF-07")]
    public void Corrupt_messages_are_refused(string hex) =>
        Should.Throw<FormatException>(() => ShardMessageCodec.Read(Convert.FromHexString(hex.Replace("-", ""))));

    private static string Hex(IShardMessage message)
    {
        var into = new ByteWriter();
        ShardMessageCodec.Write(message, into);
        return BitConverter.ToString(into.WrittenSpan.ToArray());
    }
}
