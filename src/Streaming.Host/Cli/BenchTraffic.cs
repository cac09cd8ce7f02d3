using System.Text;
using Streaming.Core.Events;
using Streaming.Core.Items;
using Streaming.Core.Wire;

namespace Streaming.Host.Cli;

/// <summary>
/// The event mix of the benchmarks: of 100 events, 87 impressions of one item, 10 clicks on an item that the same user was shown
/// just before, 2 dwells, 1 like. Users and items are drawn with a skew. Everything is made before the clock starts.
/// </summary>
internal sealed class BenchTraffic(int users, int items, long seed)
{
    public const string Mix = "87 % single impressions, 10 % clicks on an item shown just before, 2 % dwells, 1 % likes; skewed users and items";

    private readonly Random _random = new((int)seed);
    private readonly string[] _lastShown = new string[users];
    private long _made;

    public IEnumerable<ReadOnlyMemory<byte>> Items(long publishedMs)
    {
        var json = new ByteWriter();
        for (var i = 0; i < items; i++)
        {
            json.Clear();
            var item = new Item($"item-{i}")
            {
                Tags = [$"tag-{i % 40}", $"tag-{i * 7 % 40}"], Categories = [$"category-{i % 20}"], Author = $"author-{i % 200}", PublishedMs = publishedMs - i * 60_000L,
            };
            ItemWriter.Write(new ItemChange(item.Id, item, publishedMs), json);
            yield return json.WrittenSpan.ToArray();
        }
    }

    /// <summary>Events without a time: the node gives them that of their arrival.</summary>
    public ReadOnlyMemory<byte>[] Events(int count)
    {
        var all = new ReadOnlyMemory<byte>[count];
        for (var i = 0; i < count; i++) all[i] = Encoding.UTF8.GetBytes(Event(_made++));
        return all;
    }

    public string User() => $"user-{Skewed(users)}";

    private string Event(long i)
    {
        var user = Skewed(users);
        var draw = _random.Next(100);
        var shown = _lastShown[user];
        if (draw < 87 || shown is null)
        {
            var item = _lastShown[user] = $"item-{Skewed(items)}";
            return $$"""{"type":"impression","event_id":"e{{i}}","user":"user-{{user}}","item":"{{item}}","surface":"home","position":{{_random.Next(20)}},"context":{"device":"ios"} }""";
        }
        var (type, more) = draw < 97 ? ("click", "") : draw < 99 ? ("dwell", ",\"value\":25.5") : ("like", "");
        return $$"""{"type":"{{type}}","event_id":"e{{i}}","user":"user-{{user}}","item":"{{shown}}","surface":"home"{{more}}}""";
    }

    /// <summary>Density falls with the square root: the first 1 % gets 10 % of the draws.</summary>
    private int Skewed(int n) => Math.Min(n - 1, (int)(n * Math.Pow(_random.NextDouble(), 2)));
}
