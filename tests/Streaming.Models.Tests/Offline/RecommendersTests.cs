using Streaming.Models.Offline;

namespace Streaming.Models.Tests.Offline;

public sealed class RecommendersTests
{
    [Fact]
    public void Names_are_unique_and_each_makes_a_model()
    {
        Recommenders.All.Select(entry => entry.Name).Distinct().Count().ShouldBe(Recommenders.All.Count);
        foreach (var entry in Recommenders.All) Recommenders.Create(entry.Name).ShouldNotBeSameAs(Recommenders.Create(entry.Name));
    }

    [Fact]
    public void An_unknown_name_lists_those_that_there_are() =>
        Should.Throw<ArgumentException>(() => Recommenders.Create("nothing")).Message.ShouldContain("ease");
}
