using Streaming.Models.Embeddings;

namespace Streaming.Evaluation.Simulation;

/// <summary>The set-up of a <see cref="FrequencyCurve"/>.</summary>
/// <param name="Items">M. Item i is drawn with probability q_i in proportion to (i + 1)^2.</param>
/// <param name="Batch">Draws, with replacement, of a mini-batch.</param>
/// <param name="Steps">Mini-batches; half-way the order of the items is turned round: q_i in proportion to (M - i)^2.</param>
/// <param name="Slots">Slots of all hash functions together: m of them have so many over m each.</param>
/// <param name="InitialInterval">Of every slot.</param>
/// <param name="Points">Measurements, evenly spaced.</param>
public sealed record FrequencySetUp(
    int Items = 1000, int Batch = 128, int Steps = 20_000, int Slots = 5000, double InitialInterval = 100, int Points = 40);

/// <summary>The errors of one estimator over the steps. Errors are relative: sums over items, divided by the sum of the true p_i.</summary>
/// <param name="LearningRate">alpha.</param>
/// <param name="Hashes">m.</param>
/// <param name="Errors">Sum of |estimate - p|, at each point.</param>
/// <param name="Over">Of that, the sum over items that are over-estimated.</param>
public sealed record FrequencyErrors(double LearningRate, int Hashes, double[] Errors, double[] Over);

/// <summary>
/// The error of streaming frequency estimation over the steps when the items' distribution changes half-way, as in the simulation of
/// Yi et al. 2019: for several learning rates with one hash function, and for several numbers of hash functions that share
/// one budget of slots. The estimate is compared with p_i = 1 - (1 - q_i)^batch, the true probability that a mini-batch holds item i.
/// <para>
/// The text of the paper's section was not at hand when this was written: M, the batch, the square law and the slots are those of this
/// record, chosen to show the paper's three effects (small alpha is slow but precise, every alpha recovers from the change,
/// over-estimation from collisions shrinks with m), not figures to be held against the paper's digit by digit.
/// </para>
/// </summary>
public static class FrequencyCurve
{
    /// <summary>Step numbers at which errors are measured.</summary>
    public static int[] Steps(FrequencySetUp setUp) => [.. Enumerable.Range(1, setUp.Points).Select(p => (int)((long)setUp.Steps * p / setUp.Points))];

    /// <summary>One curve.</summary>
    public static FrequencyErrors Run(FrequencySetUp setUp, double learningRate, int hashes, ulong seed)
    {
        var estimator = new FrequencyEstimator(new FrequencyOptions(hashes, Math.Max(1, setUp.Slots / hashes), learningRate, setUp.InitialInterval, seed));
        var draws = new Draws(seed * 31 + 17);
        var cumulative = Cumulative(setUp.Items);
        var at = Steps(setUp);
        var (errors, over) = (new double[at.Length], new double[at.Length]);
        var batch = new ulong[setUp.Batch];
        var point = 0;
        for (var step = 1; step <= setUp.Steps; step++)
        {
            var turned = step > setUp.Steps / 2;
            for (var b = 0; b < batch.Length; b++) batch[b] = Key(Item(cumulative, draws.Unit(), turned));
            estimator.Observe(batch);
            if (step == at[point])
            {
                (errors[point], over[point]) = Error(estimator, setUp, turned);
                point++;
            }
        }
        return new FrequencyErrors(learningRate, hashes, errors, over);
    }

    private static ulong Key(int item) => (ulong)item + 1;

    private static double[] Cumulative(int items)
    {
        var sums = new double[items];
        var sum = 0.0;
        for (var i = 0; i < items; i++) sums[i] = sum += (i + 1.0) * (i + 1);
        for (var i = 0; i < items; i++) sums[i] /= sum;
        return sums;
    }

    private static int Item(double[] cumulative, double unit, bool turned)
    {
        var found = Array.BinarySearch(cumulative, unit);
        var rank = Math.Min(cumulative.Length - 1, found >= 0 ? found + 1 : ~found);
        return turned ? cumulative.Length - 1 - rank : rank;
    }

    private static (double All, double Over) Error(FrequencyEstimator estimator, FrequencySetUp setUp, bool turned)
    {
        double all = 0, over = 0, truth = 0;
        var squares = Enumerable.Range(1, setUp.Items).Sum(r => (double)r * r);
        for (var i = 0; i < setUp.Items; i++)
        {
            double rank = turned ? setUp.Items - i : i + 1;
            var p = 1 - Math.Pow(1 - rank * rank / squares, setUp.Batch);
            var error = estimator.Probability(Key(i)) - p;
            truth += p;
            all += Math.Abs(error);
            over += Math.Max(0, error);
        }
        return (all / truth, over / truth);
    }
}
