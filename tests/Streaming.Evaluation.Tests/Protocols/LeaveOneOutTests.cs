using System.Globalization;
using Streaming.Evaluation.DataSets;
using Streaming.Evaluation.Protocols;

namespace Streaming.Evaluation.Tests.Protocols;

/// <summary>Leave-one-out on made-up files, small enough to rank by hand.</summary>
public sealed class LeaveOneOutTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("streaming-loo-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Two users over items 1 to 30; user 1 has 5 6 7, user 2 has 8 9 10 and everything from 11 to 30.</summary>
    private string Set()
    {
        int[][] histories = [[5, 6, 7], [.. Enumerable.Range(1, 4), .. Enumerable.Range(11, 20), 8, 9, 10]];
        Write("ml1m_chronological.txt", string.Concat(histories.Select((items, user) =>
            string.Create(CultureInfo.InvariantCulture, $"{user + 1}\t{string.Join(' ', items.Select(item => $"{item}:4"))}\n"))));
        return Write("movies.dat", "1::A (1990)::Drama\n");
    }

    private string Write(string name, string text)
    {
        File.WriteAllText(Path.Combine(_folder, name), text);
        return _folder;
    }

    private static Dictionary<string, double> Run(LeaveOneOut protocol, string path, FixedScores model) =>
        protocol.Run(model, new EvaluationCase("given", path, 1), CancellationToken.None).ToDictionary(f => f.Metric, f => f.Value);

    [Fact]
    public void The_last_item_is_ranked_among_all_that_the_user_has_not_had()
    {
        // Items 1 to 30 score 30 down to 1. Of user 1's unseen ones, 1 to 4 stand above item 7, so it is fifth; of user 2's, 5 to 7 above
        // item 10: fourth.
        var model = new FixedScores([.. Enumerable.Range(0, 30).Select(i => 30f - i)]);
        var figures = Run(new LeaveOneOutAllItems(), Set(), model);
        figures["hr@5"].ShouldBe(1);
        figures["ndcg@10"].ShouldBe((1 / Math.Log2(6) + 1 / Math.Log2(5)) / 2, 1e-12);
        figures["users"].ShouldBe(2);
        model.Histories[0].ShouldBe([4, 5]);
        model.Train!.Count.ShouldBe(28);
    }

    [Fact]
    public void Equal_scores_count_by_chance()
    {
        // User 1 ranks item 7 among 27 unseen others; user 2 item 10 among 3.
        var figures = Run(new LeaveOneOutAllItems(), Set(), new FixedScores(new float[30]));
        figures["hr@10"].ShouldBe((10 / 28.0 + 1) / 2, 1e-12);
    }

    [Fact]
    public void Validation_holds_out_the_one_before_and_never_shows_the_test()
    {
        var model = new FixedScores(new float[30]);
        var protocol = new LeaveOneOutAllItems(validation: true);
        Run(protocol, Set(), model);
        protocol.Name.ShouldBe("leave-one-out-all-items-validation");
        model.Histories[0].ShouldBe([4]);
        model.Train!.Count.ShouldBe(26);
        model.Train.Items.ToArray().ShouldNotContain(6);
        model.Train.Items.ToArray().ShouldNotContain(9);
    }

    [Fact]
    public void Given_negatives_are_ranked_as_they_are_given()
    {
        var path = Set();
        Write("ncf_item_map.tsv", "ncf_item\tmovie_id\n" + string.Concat(Enumerable.Range(0, 30).Select(i => $"{i}\t{30 - i}\n")));
        // NCF item n is movie 30 - n: user 1's held-out movie 6 (the one before the last) is 24, its negatives are movies 1, 2 and 30.
        Write("ncf_ml-1m.test.rating", "0\t24\t4\t978300000\n1\t20\t4\t978300000\n");
        Write("ncf_ml-1m.test.negative", "(0,24)\t29\t28\t0\n(1,20)\t25\t24\t0\n");
        var model = new FixedScores([.. Enumerable.Range(0, 30).Select(i => 30f - i)]);
        var figures = Run(new LeaveOneOutGivenNegatives(), path, model);
        // Movie 6 is third behind 1 and 2; user 2's movie 10 third behind 5 and 6.
        figures["ndcg@5"].ShouldBe(0.5, 1e-12);
        model.Histories[0].ShouldBe([4, 6]);

        Write("ncf_ml-1m.test.negative", "(0,24)\t29\t28\tx\n");
        Should.Throw<DataSetException>(() => new LeaveOneOutGivenNegatives().Split(path, 1)).Message.ShouldContain("test.negative:1: negative 'x'");
        Write("ncf_ml-1m.test.rating", "0\t20\t4\t978300000\n");
        Should.Throw<DataSetException>(() => new LeaveOneOutGivenNegatives().Split(path, 1)).Message.ShouldContain("user 1 has no interaction with item 10");
    }

    [Fact]
    public void The_pickled_sample_is_read_and_numbers_beyond_the_catalogue_are_left_out()
    {
        // Python: pickle.dumps({0: [0, 30, 300], 1: [4]}, protocol=4), with its frame.
        byte[] pickle = [0x80, 4, 0x95, 31, 0, 0, 0, 0, 0, 0, 0, (byte)'}', 0x94, (byte)'(', (byte)'K', 0, (byte)']', 0x94, (byte)'(', (byte)'K', 0,
            (byte)'K', 30, (byte)'M', 44, 1, (byte)'e', (byte)'K', 1, (byte)']', 0x94, (byte)'K', 4, (byte)'a', (byte)'u', (byte)'.'];
        var path = Set();
        var file = Path.Combine(path, "bert4rec_random-sample_size100-seed98765.pkl");
        File.WriteAllBytes(file, pickle);
        var split = new LeaveOneOut100Uniform().Split(path, 1);
        split.Candidates![0].ShouldBe([0]);
        split.Candidates[1].ShouldBe([4]);
        split.Held.ShouldBe([6, 9]);

        File.WriteAllBytes(file, pickle[..20]);
        Should.Throw<DataSetException>(() => new LeaveOneOut100Uniform().Split(path, 1)).Message.ShouldContain("is not a whole pickle");
        // "c" loads a class by its name: what makes a pickle able to run code.
        File.WriteAllBytes(file, [0x80, 4, (byte)'c', (byte)'o', (byte)'s']);
        Should.Throw<DataSetException>(() => new LeaveOneOut100Uniform().Split(path, 1)).Message.ShouldContain("opcode 0x63");
    }

    [Fact]
    public void Drawn_validation_negatives_are_unseen_in_training_and_fixed_by_the_seed()
    {
        var path = Set();
        var split = new LeaveOneOut100Uniform(validation: true).Split(path, 3);
        // User 1 has one item in training and one held out, so 28 are left; the test's item 7 is unknown and may be drawn.
        split.Candidates![0].Length.ShouldBe(28);
        split.Candidates[0].ShouldBe(split.Candidates[0].Distinct());
        split.Candidates[0].ShouldNotContain(4);
        split.Candidates[0].ShouldNotContain(5);
        split.Candidates[0].ShouldContain(6);
        new LeaveOneOut100Uniform(validation: true).Split(path, 3).Candidates![0].ShouldBe(split.Candidates[0]);
    }
}
