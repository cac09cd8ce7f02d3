using System.Text;

namespace Streaming.Node.Tests;

/// <summary>A small world of every kind of record, the malformed included. Seeded.</summary>
public static class SyntheticSource
{
    public const long T0 = 1_700_000_000_000;

    public static List<ReplayRecord> Create(int seed, int events, int users = 300, int items = 120)
    {
        var random = new Random(seed);
        var all = new List<ReplayRecord>();
        for (var i = 0; i < items; i++) all.Add(Item($"i{i}", T0, $"'tags':['t{i % 7}'],'categories':['c{i % 3}'],'author':'a{i % 11}'"));
        var timeMs = T0;
        for (var n = 0; n < events; n++)
        {
            timeMs += random.Next(3_000);
            if (random.Next(60) == 0)
            {
                all.Add(ItemChange(random, items, timeMs));
                continue;
            }
            var user = $"u{(int)(users * Math.Pow(random.NextDouble(), 2))}";
            if (random.Next(40) == 0)
            {
                all.Add(Malformed(random, user, timeMs));
                continue;
            }
            all.Add(random.Next(100) == 0 ? Delete(user, timeMs) : Event(random, n, user, items, timeMs - (random.Next(10) == 0 ? random.Next(90_000) : 0), timeMs));
            if (random.Next(50) == 0) all.Add(all[^1]);
            // What comes late must not bring back whom the event before has deleted.
            if (n % 10 == 0 || all[^1].Value.Span.IndexOf("user_delete"u8) >= 0) all.Add(Record(user, timeMs, $"{{'type':'click','user':'{user}','item':'i1','time':{timeMs - 1}}}"));
        }
        return all;
    }

    private static ReplayRecord Event(Random random, int n, string user, int items, long eventMs, long recordMs)
    {
        var item = $"i{random.Next(items)}";
        var common = $"'user':'{user}','time':{eventMs},'event_id':'e{n}','surface':'s{random.Next(2)}'";
        return Record(user, recordMs, random.Next(20) switch
        {
            < 7 => $"{{'type':'impression',{common},'items':['{item}','i{random.Next(items)}x','i{random.Next(items)}']}}",
            < 12 => $"{{'type':'click',{common},'item':'{item}'}}",
            < 14 => $"{{'type':'rating',{common},'item':'{item}','value':{random.Next(1, 6)}}}",
            14 => $"{{'type':'served',{common},'items':['{item}']}}",
            15 => $"{{'type':'search',{common},'query':'t{random.Next(7)} news'}}",
            16 => $"{{'type':'my_type',{common},'item':'{item}'}}",
            17 => $"{{'type':'dislike',{common},'item':'{item}'}}",
            18 => $"{{'type':'user_upsert',{common},'profile':{{'interests':['t{random.Next(7)}']}}}}",
            _ => $"{{'type':'unweighted_type',{common},'item':'{item}'}}",
        });
    }

    private static ReplayRecord Delete(string user, long timeMs) => Record(user, timeMs, $"{{'type':'user_delete','user':'{user}','time':{timeMs}}}");

    private static ReplayRecord Malformed(Random random, string user, long timeMs) => random.Next(3) switch
    {
        0 => Record(user, timeMs, $"{{'type':'click','user':'{user}'"),
        1 => new ReplayRecord(default, new byte[] { 0xff, 0x00, 0x22 }, timeMs),
        _ => Record(user, timeMs, $"{{'type':'click','user':'{user}','time':{timeMs}}}"),
    };

    private static ReplayRecord ItemChange(Random random, int items, long timeMs) => random.Next(4) switch
    {
        0 => new ReplayRecord("broken"u8.ToArray(), "{"u8.ToArray(), timeMs, IsItem: true),
        1 => new ReplayRecord(Encoding.UTF8.GetBytes($"i{items - 1}"), NodeRig.Json($"{{'id':'i{items - 1}','deleted':true}}"), timeMs, IsItem: true),
        _ => Item($"new{timeMs}", timeMs, $"'tags':['t{random.Next(7)}']"),
    };

    private static ReplayRecord Item(string id, long timeMs, string more) =>
        new(Encoding.UTF8.GetBytes(id), NodeRig.Json($"{{'id':'{id}','time':{timeMs},{more}}}"), timeMs, IsItem: true);

    public static ReplayRecord Record(string user, long timeMs, string json) => new(Encoding.UTF8.GetBytes(user), NodeRig.Json(json), timeMs);
}
