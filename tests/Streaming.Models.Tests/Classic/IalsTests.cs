using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class IalsSuite : RecommenderSuite
{
    protected override IRecommender Create() => new Ials(new() { Dim = 9, Epochs = 10, Regularisation = 0.01 });
}

public sealed class IalsTests
{
    [Fact]
    public void One_user_one_item_one_factor_has_a_closed_form()
    {
        // w ((1 + a) h^2 + l (1 + a)) = h and the same for h end where w^2 = h^2 = 1 / (1 + a) - l, which is the score.
        var options = new IalsOptions { Dim = 1, Epochs = 200, UnobservedWeight = 0.25, Regularisation = 0.1 };
        new Ials(options).Score(Few.Histories(1, [0]), 0, 0).ShouldBeAbout(1 / 1.25 - 0.1);
    }

    [Fact]
    public void Without_frequency_scaling_the_penalty_is_lambda_itself()
    {
        // w ((1 + a) h^2 + l) = h: w^2 = h^2 = (1 - l) / (1 + a).
        var options = new IalsOptions { Dim = 1, Epochs = 200, UnobservedWeight = 0.25, Regularisation = 0.1, FrequencyScaling = 0 };
        new Ials(options).Score(Few.Histories(1, [0]), 0, 0).ShouldBeAbout(0.9 / 1.25);
    }

    [Fact]
    public void The_unobserved_weight_counts_every_item()
    {
        // Item 1 has no user: its vector is 0, so the gram matrix is h^2 of item 0 alone, but the penalties grow with the two items:
        // user l (1 + 2a), item l (1 + a). w ((1 + a) h^2 + p) = h and h ((1 + a) w^2 + q) = w give the score w h = (1 - sqrt(p q)) / (1 + a).
        var options = new IalsOptions { Dim = 1, Epochs = 400, UnobservedWeight = 0.5, Regularisation = 0.1 };
        new Ials(options).Score(Few.Histories(2, [0]), 0, 0).ShouldBeAbout((1 - Math.Sqrt(0.2 * 0.15)) / 1.5, 0);
    }
}
