using Streaming.Core.Events;
using Streaming.Core.Items;

namespace Streaming.Evaluation.Simulation;

/// <summary>What a simulation knows and a recommender must not: for regret and bias. Ask between the request and its answer, or after it.</summary>
public interface ISimulatedTruth
{
    /// <summary>
    /// The probability in [0, 1] that the user would click the item at a zero-based position, given all they have seen so far; 0 for an item
    /// that is gone. <paramref name="timeMs"/> is not before the last request.
    /// </summary>
    /// <exception cref="ArgumentException">No such user.</exception>
    double TrueClickProbability(string user, string item, long timeMs, int position = 0);

    /// <summary>The list with the most expected clicks, best first; at most <paramref name="slots"/> items.</summary>
    IReadOnlyList<string> BestList(string user, int slots, long timeMs);

    /// <summary>Sum of the click probabilities of a list, the first item at position 0. Regret is the best list's less this.</summary>
    double ExpectedClicks(string user, IReadOnlyList<string> list, long timeMs);

    /// <summary>Probability that a zero-based position is looked at: the position bias.</summary>
    double Examination(int position);
}

/// <summary>A user asks for a list.</summary>
/// <param name="Id">Goes with the events of the answer.</param>
/// <param name="User">Who.</param>
/// <param name="TimeMs">Event time, Unix ms; never falls.</param>
/// <param name="Candidates">Items that can be shown now; valid until the next request.</param>
/// <param name="NewItems">Items that have appeared since the last request; with the first one the whole catalogue.</param>
/// <param name="Arrivals">What users declared since the last request: profiles.</param>
public sealed record ListRequest(
    string Id, string User, long TimeMs, IReadOnlyList<Item> Candidates, IReadOnlyList<ItemChange> NewItems, IReadOnlyList<UserEvent> Arrivals);

/// <summary>What came of a list.</summary>
/// <param name="Events">The impression of the list, then what the user did, in order, as the live path takes them.</param>
/// <param name="Reward">Clicks.</param>
/// <param name="ExpectedReward">Expected clicks of this list by the truth: the reward without the luck of the draw.</param>
/// <param name="SessionEnded">The user leaves: the episode, for who learns by episodes, is over.</param>
public sealed record ListResponse(IReadOnlyList<UserEvent> Events, double Reward, double ExpectedReward, bool SessionEnded);

/// <summary>
/// Users to recommend to, step by step, as in reinforcement learning: <see cref="Reset"/>, then <see cref="NextRequest"/> and
/// <see cref="Respond"/> in turn for as long as one likes. Deterministic: the same seed and the same lists give the same requests and
/// events. <see cref="SimulatedUsers"/> is the hand-made one; learned ones implement this too.
/// </summary>
public interface IUserEnvironment
{
    /// <summary>The truth, of the run since the last <see cref="Reset"/>; null where the environment has none to tell.</summary>
    ISimulatedTruth? Truth { get; }

    /// <summary>Starts again from nothing.</summary>
    void Reset(long seed);

    /// <summary>The next user who wants a list. Time passes.</summary>
    /// <exception cref="InvalidOperationException">The last request is not answered yet.</exception>
    ListRequest NextRequest();

    /// <summary>Shows a list (of the request's candidates, best first; may be empty) and returns what the user does with it.</summary>
    /// <param name="list">Item ids.</param>
    /// <param name="propensities">Probability with which each slot shows its item, in (0, 1]; empty for unknown.</param>
    /// <exception cref="InvalidOperationException">There is no open request.</exception>
    ListResponse Respond(IReadOnlyList<string> list, IReadOnlyList<float>? propensities = null);
}
