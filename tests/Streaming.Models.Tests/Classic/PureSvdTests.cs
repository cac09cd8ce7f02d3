using Streaming.Models.Classic;
using Streaming.Models.Offline;
using Streaming.Models.Tests.Offline;
using Streaming.Suites;

namespace Streaming.Models.Tests.Classic;

public sealed class PureSvdSuite : RecommenderSuite
{
    protected override IRecommender Create() => new PureSvd(dim: 2);
}

public sealed class PureSvdTests
{
    /// <summary>X'X has (1 1 0) / sqrt 2 at 4 and (0 0 1) at 1.</summary>
    private static readonly Interactions Train = Few.Histories(3, [0, 1], [1, 0], [2]);

    [Fact]
    public void The_first_singular_vector_alone()
    {
        new PureSvd(dim: 1).Score(Train, 0, 0).ShouldBeAbout(0.5, 0.5, 0);
        new PureSvd(dim: 1).Score(Train, 0, 2).ShouldBeAbout(0, 0, 0);
    }

    [Fact]
    public void Two_of_them() => new PureSvd(dim: 2).Score(Train, 0, 0, 2).ShouldBeAbout(0.5, 0.5, 1);

    [Fact]
    public void More_than_the_rank_gives_the_history_back_where_the_data_allow() =>
        new PureSvd(dim: 50).Score(Train, 0, 0, 1, 1).ShouldBeAbout(1, 1, 0);

    [Fact]
    public void A_larger_matrix_projects_as_its_eigenvectors_do()
    {
        // Against the eigenvectors of the whole X'X by Jacobi rotations, which share no step with the subspace iteration.
        const int users = 60, items = 40, dim = 5;
        var random = new Random(3);
        var histories = Enumerable.Range(0, users).Select(user => Enumerable.Range(0, items)
            .Where(item => random.NextDouble() < (item % 4 == user % 4 ? 0.6 : 0.1)).ToArray()).ToArray();
        var gram = new double[items * items];
        foreach (var history in histories)
        foreach (var i in history)
        foreach (var j in history)
            gram[i * items + j]++;
        var (_, vectors) = Models.LinearAlgebra.SymmetricEigen.Decompose(gram, items);
        var expected = Enumerable.Range(0, items).Select(j => histories[0].Sum(i =>
            Enumerable.Range(0, dim).Sum(k => vectors[i * items + k] * vectors[j * items + k]))).ToArray();
        var scores = new PureSvd(dim, iterations: 60).Score(Few.Histories(items, histories), 0, histories[0]);
        for (var j = 0; j < items; j++) ((double)scores[j]).ShouldBe(expected[j], 1e-3);
    }
}
