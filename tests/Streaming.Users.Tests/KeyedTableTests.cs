namespace Streaming.Users.Tests;

public sealed class KeyedTableTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_is_a_dictionary_that_keeps_order(int seed)
    {
        var random = new Random(seed);
        var table = new KeyedTable<long>();
        var model = new List<KeyValuePair<ulong, long>>();
        for (var step = 0; step < 4000; step++)
        {
            var key = (ulong)random.Next(150) * (seed == 2 ? 1UL << 40 : 1);
            var at = model.FindIndex(p => p.Key == key);
            switch (random.Next(10))
            {
                case < 6:
                    table[key] = step;
                    if (at >= 0) model[at] = new(key, step);
                    else model.Add(new(key, step));
                    break;
                case < 8:
                    table.Remove(key).ShouldBe(at >= 0);
                    if (at >= 0) model.RemoveAt(at);
                    break;
                case 8 when random.Next(20) == 0:
                    var keep = model.Select(_ => random.Next(2) == 0).ToArray();
                    table.Keep(keep);
                    model = [.. model.Where((_, i) => keep[i])];
                    break;
                default:
                    table.TryGetValue(key, out var value).ShouldBe(at >= 0);
                    value.ShouldBe(at >= 0 ? model[at].Value : 0);
                    table.ContainsKey(key).ShouldBe(at >= 0);
                    break;
            }
            table.Count.ShouldBe(model.Count);
        }
        table.ToArray().ShouldBe(model);
        table.Keys.ShouldBe(model.Select(p => p.Key));
        table.Values.ShouldBe(model.Select(p => p.Value));
    }

    [Fact]
    public void Adding_twice_and_reading_what_is_not_there_throw()
    {
        var table = new KeyedTable<long> { { 5, 1 } };
        Should.Throw<ArgumentException>(() => table.Add(5, 2));
        Should.Throw<KeyNotFoundException>(() => table[6]);
        table.GetValueOrDefault(6).ShouldBe(0);
        table.Clear();
        table.ContainsKey(5).ShouldBeFalse();
    }
}
