using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Streaming.Core.Examples;
using Streaming.Core.Feeds;
using Streaming.Core.Log;
using Streaming.Core.Ports;
using Streaming.Core.Wire;
using Streaming.Learning.Deep;
using Streaming.Node;
using Streaming.Users;

namespace Streaming.Host.Cli.Fuzz;

/// <summary>
/// A stored form: any bytes are refused with <see cref="FormatException"/> or <see cref="InvalidDataException"/>, or are read; what was read,
/// written and read again has the same form.
/// </summary>
internal sealed class CodecTarget(string codec, Func<byte[], byte[]> rewrite, bool hasCrc = false, IReadOnlyList<byte[]>? seeds = null, int bytesMax = 16 * 1024, long allocated = 4 << 20)
    : FuzzTarget
{
    public override string Name => "codecs/" + codec;

    public override IEnumerable<byte[]> Seeds => seeds ?? [];

    public override int BytesMax => bytesMax;

    public override long AllocatedMax(int inputBytes) => allocated + 1024L * inputBytes;

    public override IReadOnlyList<byte[]> Words { get; } = [.. Texts("\"", "{\"item\":\"", "\\u0000"), [0xff, 0xff, 0xff, 0xff, 0x0f], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [1, 0, 0, 0]];

    public override string Run(byte[] input)
    {
        var outcome = Once(input);
        // Behind a checksum no change would ever be read: so the same bytes again with the right one.
        if (hasCrc && input.Length > 4) outcome += " " + Once(Summed(input));
        return outcome;
    }

    private string Once(byte[] input)
    {
        var written = Array.Empty<byte>();
        if (Refused(() => written = rewrite(input), out var reason)) return reason;
        var again = Array.Empty<byte>();
        Hold(!Refused(() => again = rewrite(written), out reason), $"what was read and written is refused: {reason}");
        Hold(again.AsSpan().SequenceEqual(written), "read and written again it has another form");
        return "read";
    }

    private static byte[] Summed(byte[] input)
    {
        var summed = (byte[])input.Clone();
        BinaryPrimitives.WriteUInt32LittleEndian(summed.AsSpan(^4), Crc32C.Of(summed.AsSpan(0, summed.Length - 4)));
        return summed;
    }
}

/// <summary>All stored forms that can be had by themselves.</summary>
internal static class Codecs
{
    private const int Dimension = 2;

    public static IEnumerable<FuzzTarget> Targets() =>
    [
        new CodecTarget("user-state", UserStateOf), new CodecTarget("example", ExampleOf), new CodecTarget("feed-list", FeedListOf),
        new CodecTarget("dead-letter", DeadLetterOf), new CodecTarget("model-update", ModelUpdateOf, hasCrc: true), new CodecTarget("position", PositionOf),
        new CodecTarget("manifest", ManifestOf), .. Parts(),
    ];

    private static byte[] UserStateOf(byte[] input)
    {
        var state = UserStateCodec.Read(input, Dimension, "u");
        return Written(into => UserStateCodec.Write(state, into));
    }

    private static byte[] ExampleOf(byte[] input)
    {
        var record = ExampleCodec.Read(input);
        return Written(into =>
        {
            if (record.Example is { } example) ExampleCodec.Write(example, into);
            else ExampleCodec.Write(record.Interaction!, into);
        });
    }

    /// <summary>The view serves pages without decoding: whatever it is asked, it answers or refuses too.</summary>
    private static byte[] FeedListOf(byte[] input)
    {
        var view = new FeedListView(input);
        for (var i = 0; i < view.Count; i++)
        {
            _ = view.Item(i).Length + view.EntryJson(i).Length + view.Channel(i).Length + view.Score(i) + view.Propensity(i);
        }
        _ = view.EntriesJson(0, view.Count).Length + view.EntriesJson(view.Count, 1).Length;
        var list = FeedListCodec.Read(input);
        return Written(into => FeedListCodec.Write(list, into));
    }

    private static byte[] DeadLetterOf(byte[] input)
    {
        var letter = DeadLetter.Read(input);
        return Written(into => letter.Write(into));
    }

    private static byte[] ModelUpdateOf(byte[] input)
    {
        var head = ModelRecordCodec.Read(input, out var payload);
        var copy = payload.ToArray();
        return Written(into => ModelRecordCodec.Write(head, copy, into));
    }

    private static byte[] PositionOf(byte[] input) =>
        LogPosition.TryParse(Encoding.Latin1.GetString(input), out var position) ? Encoding.Latin1.GetBytes(position.ToString()) : throw new FormatException("no position");

    /// <summary>The manifest of a node's checkpoint, in the folder where a node looks for it.</summary>
    private static byte[] ManifestOf(byte[] input)
    {
        var folder = Directory.CreateTempSubdirectory("streaming-fuzz-");
        try
        {
            var own = folder.CreateSubdirectory("000000000007");
            File.WriteAllBytes(Path.Combine(own.FullName, "manifest.json"), input);
            string? notice = null;
            var checkpoints = new Checkpoints(folder.FullName, 2, n => notice = n.Message);
            if (checkpoints.List() is not [var manifest]) throw new FormatException(notice ?? throw new FuzzFailure("passed over in silence"));
            checkpoints.Verify(manifest);
            return JsonSerializer.SerializeToUtf8Bytes(manifest);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Every part of a node's checkpoint; those of nodes that have learned something are files of the corpus.</summary>
    private static IEnumerable<FuzzTarget> Parts()
    {
        // Only deep models read a log, and they are off.
        var models = new ModelSet(FuzzNode.SettingsOf("unused"), log: null!);
        return models.Parts.Select(PartTarget);
    }

    private static CodecTarget PartTarget(ICheckpointed part)
    {
        using var empty = new MemoryStream();
        part.Save(empty);
        return new CodecTarget("part-" + part.Name, input =>
        {
            part.Load(new MemoryStream(input));
            using var saved = new MemoryStream();
            part.Save(saved);
            return saved.ToArray();
        }, hasCrc: true, [empty.ToArray()], bytesMax: 1 << 20, allocated: 64 << 20);
    }

    private static byte[] Written(Action<ByteWriter> write)
    {
        var into = new ByteWriter();
        write(into);
        return into.WrittenSpan.ToArray();
    }
}
