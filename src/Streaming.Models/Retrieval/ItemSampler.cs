using Streaming.Models.Offline;

namespace Streaming.Models.Retrieval;

/// <summary>Draws items in proportion to a power of how often they come: 0.75 as in word2vec (Mikolov et al. 2013), 0 for uniformly.</summary>
public sealed class ItemSampler
{
    private readonly double[] _upTo;

    /// <param name="train">What is counted.</param>
    /// <param name="power">Of the counts.</param>
    public ItemSampler(Interactions train, double power)
    {
        Counts = new int[train.ItemCount];
        foreach (var item in train.Items) Counts[item]++;
        _upTo = new double[Counts.Length];
        double sum = 0;
        for (var item = 0; item < _upTo.Length; item++) _upTo[item] = sum += power == 0 ? 1 : Math.Pow(Counts[item], power);
        Probabilities = new double[_upTo.Length];
        for (var item = 0; item < _upTo.Length; item++)
        {
            _upTo[item] /= sum;
            Probabilities[item] = _upTo[item] - (item == 0 ? 0 : _upTo[item - 1]);
        }
    }

    /// <summary>Interactions of each item.</summary>
    public int[] Counts { get; }

    /// <summary>The chance of each item.</summary>
    public double[] Probabilities { get; }

    public int Draw(Random random)
    {
        // The first whose sum is above the draw: one without interactions adds nothing and is never it.
        var draw = random.NextDouble();
        int low = 0, high = _upTo.Length - 1;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_upTo[middle] > draw) high = middle;
            else low = middle + 1;
        }
        return low;
    }
}
