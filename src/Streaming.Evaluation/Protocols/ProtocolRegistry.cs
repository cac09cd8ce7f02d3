using Streaming.Core;

namespace Streaming.Evaluation.Protocols;

/// <summary>Protocols by name, and the words for one that is not there.</summary>
public sealed class ProtocolRegistry(IReadOnlyList<IProtocol> all)
{
    /// <summary>Every protocol of the project; a new one is one line here.</summary>
    public static ProtocolRegistry Known { get; } = new(
    [
        new LeaveOneOutGivenNegatives(validation: false), new LeaveOneOutGivenNegatives(validation: true),
        new LeaveOneOutAllItems(validation: false), new LeaveOneOutAllItems(validation: true),
        new LeaveOneOut100Uniform(validation: false), new LeaveOneOut100Uniform(validation: true),
        new TemporalSplit(validation: false), new TemporalSplit(validation: true),
        new Prequential(), new HourByHour(), new GivenRankings(), new ReRanking(), new OffPolicyEstimates(), new DelayedLabels(),
        new CtrChronological(validation: false), new CtrChronological(validation: true),
        new MultiTaskChronological(validation: false), new MultiTaskChronological(validation: true),
    ]);

    public IReadOnlyList<IProtocol> All { get; } = all;

    /// <exception cref="FormatException">There is none of that name; the message lists what there is.</exception>
    public IProtocol Find(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new FormatException($"there is no protocol '{name}'{Hint(name, All.Select(p => p.Name))}; there is {List(All.Select(p => p.Name))}");

    /// <summary>The models that were asked for, or all of the protocol's when none was.</summary>
    /// <param name="protocol">Whose.</param>
    /// <param name="names">Names, each perhaps several with commas between them.</param>
    /// <exception cref="FormatException">The protocol has no such model; the message lists those that it has.</exception>
    public static IReadOnlyList<string> Models(IProtocol protocol, IEnumerable<string> names)
    {
        var wanted = names.SelectMany(n => n.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Distinct().ToList();
        if (wanted.FirstOrDefault(m => !protocol.Models.Contains(m)) is { } odd)
            throw new FormatException($"{protocol.Name} has no model '{odd}'{Hint(odd, protocol.Models)}; it has {List(protocol.Models)}");
        return wanted.Count > 0 ? wanted : protocol.Models;
    }

    private static string Hint(string wanted, IEnumerable<string> known) => NearestName.Of(wanted, known) is { } near ? $", did you mean '{near}'?" : "";

    private static string List(IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? list : "none yet";
}
