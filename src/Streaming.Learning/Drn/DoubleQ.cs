namespace Streaming.Learning.Drn;

/// <summary>The target of double Q-learning (van Hasselt et al. 2016): one network chooses the next action, the other judges it.</summary>
public static class DoubleQ
{
    /// <summary>Q'(s', argmax_a Q(s', a)): 0 where there is no next action. Of equal actions the first.</summary>
    /// <param name="current">Shape [M]: Q(s', a) of the network that learns.</param>
    /// <param name="target">Shape [M]: Q'(s', a) of the target network.</param>
    public static float Future(ReadOnlySpan<float> current, ReadOnlySpan<float> target)
    {
        if (current.IsEmpty) return 0;
        var preferred = 0;
        for (var m = 1; m < current.Length; m++)
            if (current[m] > current[preferred]) preferred = m;
        return target[preferred];
    }
}
