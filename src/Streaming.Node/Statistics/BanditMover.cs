using Streaming.Core.Experiments;
using Streaming.Experiments.Bandits;
using Streaming.Experiments.Ledger;
using Streaming.Node.Splitting;

namespace Streaming.Node.Statistics;

/// <summary>Moves the weights of experiments that have a bandit, as a person would: by a change of the definitions, with the rates in the audit.</summary>
internal sealed class BanditMover(ExperimentControl experiments, Func<long> nowMs)
{
    /// <summary>Looks at every experiment that is due; returns those whose weights moved.</summary>
    public async Task<IReadOnlyList<string>> MoveAsync(LedgerReader reader, CancellationToken cancel)
    {
        var moved = new List<string>();
        foreach (var due in BanditUpdate.Due(experiments.Current.Definitions, nowMs()).ToList())
        {
            var sums = reader.SumsOf(due.Name);
            var why = string.Join(", ", due.Arms.Where(a => sums.ContainsKey(a.Name)).Select(a => FormattableString.Invariant(
                $"{a.Name}: {sums[a.Name].Rate:0.####} of {sums[a.Name].Users} users")));
            // Whatever was changed meanwhile, by others or by this, is what the weights are moved on.
            var change = await experiments.ChangeAsync(BanditUpdate.Author, why, basedOn: null, now =>
                now.Find(due.Name) is { Bandit: not null } found && BanditUpdate.Next(found, sums, nowMs()) is { } next ? now.With(next) : now, cancel).ConfigureAwait(false);
            if (change.Result == ExperimentChangeResult.Applied) moved.Add(due.Name);
        }
        return moved;
    }
}
