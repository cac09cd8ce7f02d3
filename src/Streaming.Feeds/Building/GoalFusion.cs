using System.Globalization;
using Streaming.Core.Events;
using Streaming.Core.Settings;

namespace Streaming.Feeds.Building;

/// <summary>
/// One score of the probabilities of several goals: sum_k w_k p_k, or prod_k p_k^w_k, which is the same as a weighted sum of their logarithms: there a goal that is
/// improbable cannot be made up for by the others.
/// </summary>
/// <param name="IsProduct">The latter.</param>
/// <param name="Weights">w_k by the goal's name; those not named have the weight of their action, the first goal 1.</param>
public sealed record GoalFusion(bool IsProduct, IReadOnlyDictionary<string, double> Weights)
{
    /// <summary>A sum by the actions' weights.</summary>
    public static GoalFusion Default { get; } = new(false, new Dictionary<string, double>());

    /// <summary>As these settings say.</summary>
    public static GoalFusion Of(FeedsSettings settings) => new(settings.GoalFusion == FeedsSettings.FusionMultiplicative, settings.GoalWeights);

    /// <summary>Shape [K], in the order of a ranker's tasks.</summary>
    /// <param name="goals">Tasks 2 to K.</param>
    /// <param name="actions">Weights of actions by name.</param>
    public float[] WeightsOf(IReadOnlyList<EventKind> goals, IReadOnlyDictionary<string, double> actions)
    {
        float Of(string name, double otherwise) => (float)Weights.GetValueOrDefault(name, otherwise);
        return [Of(Goals.Positive, 1), .. goals.Select(EventKinds.Name).Select(name => Of(name, actions.GetValueOrDefault(name, 1)))];
    }

    /// <summary>The score of one item; larger is better.</summary>
    /// <param name="probabilities">Shape [K].</param>
    /// <param name="weights">Shape [K].</param>
    public float Fuse(ReadOnlySpan<float> probabilities, ReadOnlySpan<float> weights)
    {
        var (sum, product) = (0f, 1f);
        for (var k = 0; k < probabilities.Length; k++)
        {
            if (IsProduct) product *= MathF.Pow(probabilities[k], weights[k]);
            else sum += weights[k] * probabilities[k];
        }
        return IsProduct ? product : sum;
    }

    public override string ToString() => string.Join(
        ' ', Weights.OrderBy(w => w.Key, StringComparer.Ordinal).Select(w => string.Create(CultureInfo.InvariantCulture, $"{w.Key}={w.Value}"))
            .Prepend(IsProduct ? FeedsSettings.FusionMultiplicative : FeedsSettings.FusionAdditive));
}
