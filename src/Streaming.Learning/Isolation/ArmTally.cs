using System.Runtime.InteropServices;
using Streaming.Core.Metrics;
using Streaming.Core.Wire;

namespace Streaming.Learning.Isolation;

/// <summary>Whose traffic one learner has learned from: by arm, how many examples, and how hard they pulled.</summary>
/// <remarks>A bounded number of arms have a line of their own; the rest shares one.</remarks>
internal sealed class ArmTally
{
    private const int ArmsMax = 256;
    private readonly Dictionary<string, Line> _lines = new(StringComparer.Ordinal);

    private record struct Line(long Examples, double Mass);

    /// <summary>Examples of all arms.</summary>
    public long Examples { get; private set; }

    /// <summary>Sum over examples of |weight (p - y)|: the gradient at the logit, which every feature's gradient is a multiple of.</summary>
    public double Mass { get; private set; }

    public IEnumerable<string> Arms => _lines.Keys;

    public void Add(string arm, double mass)
    {
        if (_lines.Count >= ArmsMax && !_lines.ContainsKey(arm)) arm = StreamingMeters.OtherLabel;
        ref var line = ref CollectionsMarshal.GetValueRefOrAddDefault(_lines, arm, out _);
        line = new Line(line.Examples + 1, line.Mass + mass);
        (Examples, Mass) = (Examples + 1, Mass + mass);
    }

    public (long Examples, double Mass) Of(string arm) => _lines.TryGetValue(arm, out var line) ? (line.Examples, line.Mass) : default;

    public void Save(CheckpointWriter writer)
    {
        writer.Int32(_lines.Count);
        foreach (var (arm, line) in _lines.OrderBy(l => l.Key, StringComparer.Ordinal))
        {
            writer.String(arm);
            writer.Int64(line.Examples);
            writer.Double(line.Mass);
        }
        // As they were added up: the sum of the lines in another order may differ in its last bit.
        writer.Double(Mass);
    }

    /// <exception cref="InvalidDataException">Torn or corrupt.</exception>
    public static ArmTally Read(CheckpointReader reader)
    {
        var read = new ArmTally();
        for (var left = reader.Count(ArmsMax + 1); left > 0; left--)
        {
            var line = read._lines[reader.String(1 << 16)] = new Line(reader.Int64(), reader.Double());
            read.Examples += line.Examples;
        }
        read.Mass = reader.Double();
        return read;
    }
}
