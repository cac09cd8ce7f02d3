using Streaming.Core.Wire;
using Streaming.Feeds.Structures;

namespace Streaming.Feeds.Recall;

public sealed partial class PopularityIndex
{
    private const byte FormatVersion = 1;

    public void Save(Stream into)
    {
        var writer = new ByteWriter();
        writer.Byte(FormatVersion);
        writer.Count(_sums.Count);
        foreach (var (key, sums) in _sums.OrderBy(e => e.Key))
        {
            writer.UInt64(key);
            writer.Double(sums.Long);
            writer.Double(sums.Short);
            writer.Flush(into);
        }
        writer.Count(_members.Count);
        foreach (var (key, membership) in _members.OrderBy(e => e.Key))
        {
            writer.UInt64(key);
            writer.UInt64(membership.Author);
            writer.Count(membership.Keys.Length);
            foreach (var interest in membership.Keys) writer.UInt64(interest);
            writer.Flush(into);
        }
        _overall.Save(writer);
        _trending.Save(writer);
        SaveLists(_postings, writer, into);
        SaveLists(_authors, writer, into);
        writer.Count(_surfaces.Count);
        foreach (var (name, surface) in _surfaces.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            writer.String(name);
            surface.Top.Save(writer);
            writer.Count(surface.Sums.Count);
            foreach (var (key, log) in surface.Sums.OrderBy(e => e.Key))
            {
                writer.UInt64(key);
                writer.Double(log);
                writer.Flush(into);
            }
        }
        writer.Flush(into, end: true);
    }

    public void Load(Stream from) => Part.Load(from, Name, (ref ByteReader reader) =>
    {
        reader.Version(FormatVersion, "the popularity index");
        var sums = new Dictionary<ulong, Sums>();
        for (var n = reader.Count(24); n > 0; n--)
            Part.Expect(sums.TryAdd(reader.UInt64(), new Sums(reader.Double(), reader.Double())), "an item occurs twice");
        var members = new Dictionary<ulong, Membership>();
        for (var n = reader.Count(17); n > 0; n--)
        {
            var (key, author) = (reader.UInt64(), reader.UInt64());
            var keys = new ulong[reader.Count(8)];
            for (var i = 0; i < keys.Length; i++) keys[i] = reader.UInt64();
            Part.Expect(members.TryAdd(key, new Membership(keys, author)), "an item's tags occur twice");
        }
        var overall = TopList.Load(ref reader, settings.PopularTopMax);
        var trending = TopList.Load(ref reader, settings.PopularTopMax);
        var postings = LoadLists(ref reader);
        var authors = LoadLists(ref reader);
        var surfaces = new Dictionary<string, SurfaceSums>();
        for (var n = reader.Count(3); n > 0; n--)
        {
            var name = reader.String() ?? throw new FormatException("a surface has no name");
            var surface = new SurfaceSums(TopList.Load(ref reader, settings.PopularTopMax));
            for (var m = reader.Count(16); m > 0; m--)
                Part.Expect(surface.Sums.TryAdd(reader.UInt64(), reader.Double()), "an item of a surface occurs twice");
            Part.Expect(surfaces.TryAdd(name, surface), "a surface occurs twice");
        }
        (_sums, _members, _overall, _trending) = (sums, members, overall, trending);
        (_postings, _authors, _surfaces) = (postings, authors, surfaces);
    });

    private static void SaveLists(Dictionary<ulong, TopList> lists, ByteWriter writer, Stream into)
    {
        writer.Count(lists.Count);
        foreach (var (key, list) in lists.OrderBy(e => e.Key))
        {
            writer.UInt64(key);
            list.Save(writer);
            writer.Flush(into);
        }
    }

    private Dictionary<ulong, TopList> LoadLists(ref ByteReader reader)
    {
        var lists = new Dictionary<ulong, TopList>();
        for (var n = reader.Count(9); n > 0; n--)
            Part.Expect(lists.TryAdd(reader.UInt64(), TopList.Load(ref reader, settings.PostingsMax)), "a posting list occurs twice");
        return lists;
    }
}
