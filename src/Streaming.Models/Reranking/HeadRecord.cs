using Streaming.Models.Layers;

namespace Streaming.Models.Reranking;

/// <summary>
/// How a re-ranker has done beside the order that it was given, by NDCG@10 on lists before it learned them: decayed sums over about the last <see cref="Window"/> lists. It is part
/// of the model's weights, so that every copy that serves knows the same. One writer.
/// </summary>
public sealed class HeadRecord
{
    /// <summary>Lists after which one weighs 1 / e.</summary>
    public const int Window = 1000;

    /// <summary>Lists, decayed, below which nothing is said.</summary>
    public const int ListsMin = 50;

    private const float Decay = 1f - 1f / Window;

    /// <summary>Standard errors by which the mean difference must be below 0.</summary>
    private const double Errors = 2;

    /// <summary>Decayed: lists, sum of the given order's NDCG, sum of the head's, sum of squared differences.</summary>
    public DenseBuffer Buffer { get; } = new("head.record", new float[4]);

    /// <summary>Lists, decayed.</summary>
    public float Lists => Buffer.Values[0];

    /// <summary>Mean NDCG@10 of the order that was given; NaN before the first list.</summary>
    public double Given => Buffer.Values[1] / Lists;

    /// <summary>Mean NDCG@10 of the head's order; NaN before the first list.</summary>
    public double Head => Buffer.Values[2] / Lists;

    /// <summary>Whether the head's order is worse by more than chance gives: by two standard errors of the paired difference.</summary>
    public bool IsWorse
    {
        get
        {
            if (Lists < ListsMin) return false;
            var difference = Head - Given;
            var variance = Math.Max(0, Buffer.Values[3] / Lists - difference * difference);
            return difference < -Errors * Math.Sqrt(variance / Lists);
        }
    }

    /// <summary>Adds a list.</summary>
    /// <param name="given">NDCG@10 of the order that was given.</param>
    /// <param name="head">NDCG@10 of the head's.</param>
    public void Add(double given, double head)
    {
        var values = Buffer.Values;
        for (var i = 0; i < values.Length; i++) values[i] *= Decay;
        values[0] += 1;
        values[1] += (float)given;
        values[2] += (float)head;
        values[3] += (float)((head - given) * (head - given));
    }
}
