using Streaming.Models.Layers;
using TorchSharp;

namespace Streaming.Models.Ranking.MultiTask;

/// <summary>
/// Progressive layered extraction: on every level, task k mixes its own experts and the shared ones by a gate on its own input of that level, and the shared stream
/// mixes all of them; y_k = sigmoid(tower_k(x_k)) after the last level (Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for
/// Personalized Recommendations", RecSys 2020, equations 1 to 6). Two levels, two experts of each task and two shared. Known number: none on a set that we have;
/// the paper's are on its own video logs and on census-income, where it stands above MMoE. Features: sparse, dense.
/// </summary>
public sealed class Ple : IRankerNetwork
{
    private const int LevelCount = 2, ExpertsEach = 2;

    private readonly Level[] _levels;
    private readonly Towers _towers;

    /// <summary>Experts and gates of tasks 0 to K - 1 and of the shared stream, K; the last level has no shared gate, as nothing would read it.</summary>
    private sealed record Level(Expert[][] Experts, Linear[] Gates)
    {
        public IEnumerable<DenseParameter> Parameters => [.. Experts.SelectMany(e => e).SelectMany(e => e.Parameters), .. Gates.SelectMany(g => g.Parameters)];
    }

    /// <param name="shape">Of the rows.</param>
    /// <param name="options">Widths.</param>
    public Ple(RankerShape shape, RankerOptions options)
    {
        VectorColumns = options.Dim;
        var columns = shape.Vectors * options.Dim;
        _levels = new Level[LevelCount];
        for (var level = 0; level < LevelCount; level++)
        {
            var (at, wide) = (level, level == 0 ? columns : options.Hidden[^1]);
            var gates = level == LevelCount - 1 ? shape.Tasks : shape.Tasks + 1;
            _levels[level] = new Level(
                [.. Enumerable.Range(0, shape.Tasks + 1).Select(s => Enumerable.Range(0, ExpertsEach).Select(i => new Expert($"level.{at}.{s}.expert.{i}", wide, options)).ToArray())],
                [.. Enumerable.Range(0, gates).Select(s => new Linear($"level.{at}.{s}.gate", wide, ExpertsEach * (s == shape.Tasks ? shape.Tasks + 1 : 2), options.Seed))]);
        }
        _towers = new Towers(shape.Tasks, options);
    }

    public int VectorColumns { get; }

    public bool ReadsLinear => false;

    public IEnumerable<DenseParameter> Parameters => [.. _levels.SelectMany(l => l.Parameters), .. _towers.Parameters];

    public torch.Tensor Logits(RankerInput x, bool learning)
    {
        var flat = x.Flat;
        var inputs = Enumerable.Repeat(flat, _levels[0].Experts.Length).ToArray();
        foreach (var level in _levels)
        {
            var streams = inputs;
            var outputs = level.Experts.Select((own, s) => own.Select(e => e.Forward(streams[s], learning)).ToList()).ToList();
            inputs = [.. level.Gates.Select((gate, s) => Expert.Mix(
                s == outputs.Count - 1 ? [.. outputs.SelectMany(o => o)] : [.. outputs[s], .. outputs[^1]], gate.Forward(streams[s], learning)))];
        }
        return _towers.Forward(k => inputs[k], learning);
    }
}
