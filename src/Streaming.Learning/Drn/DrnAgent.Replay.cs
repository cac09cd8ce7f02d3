using Streaming.Core.Ids;

namespace Streaming.Learning.Drn;

/// <summary>Major updates: double Q-learning on replayed lists (van Hasselt et al. 2016).</summary>
public sealed partial class DrnAgent
{
    private float[] _states = [], _actions = [], _targets = [], _best = [], _judged = [];
    private int[] _rowsOf = [];

    private void MajorUpdate()
    {
        var rows = Sample();
        var (width, length) = (Network.Shape.Action, Network.Shape.State);
        AddFuture();
        LastLoss = Network.Gradient(
            _weights, _states.AsSpan(0, rows * length), _actions.AsSpan(0, rows * width), _targets.AsSpan(0, rows), _gradient, _scratch);
        _adam.Step(_weights, _gradient);
        if (++_major % _settings.TargetSyncEvery == 0) _weights.CopyTo(_target.AsSpan());
    }

    /// <summary>Lays sampled lists out in rows: states, actions and rewards. Returns their number.</summary>
    private int Sample()
    {
        var (width, length) = (Network.Shape.Action, Network.Shape.State);
        if (_rowsOf.Length != _settings.BatchLists) _rowsOf = new int[_settings.BatchLists];
        var rows = 0;
        for (var b = 0; b < _rowsOf.Length; b++)
            rows += _replay[_rowsOf[b] = Drawn(b)].Rewards.Length;
        Fit(ref _states, rows * length);
        Fit(ref _actions, rows * width);
        Fit(ref _targets, rows);
        rows = 0;
        foreach (var at in _rowsOf)
        {
            var list = _replay[at];
            list.Actions.CopyTo(_actions.AsSpan(rows * width));
            list.Rewards.CopyTo(_targets.AsSpan(rows));
            for (var k = 0; k < list.Rewards.Length; k++, rows++)
            {
                list.State.CopyTo(_states.AsSpan(rows * length));
                _states[rows * length] = PositionFeature(list.Positions[k]);
            }
        }
        return rows;
    }

    /// <summary>Adds to each list's targets gamma times what the target network makes of the action that the current one prefers.</summary>
    private void AddFuture()
    {
        var row = 0;
        foreach (var at in _rowsOf)
        {
            var list = _replay[at];
            var count = list.NextActions.Length / Network.Shape.Action;
            Fit(ref _best, count);
            Fit(ref _judged, count);
            var best = _best.AsSpan(0, count);
            var judged = _judged.AsSpan(0, count);
            if (count > 0)
            {
                Network.Score(_weights, list.NextState, list.NextActions, best, _scratch);
                Network.Score(_target, list.NextState, list.NextActions, judged, _scratch);
            }
            var future = (float)_settings.Gamma * DoubleQ.Future(best, judged);
            for (var k = 0; k < list.Rewards.Length; k++) _targets[row++] += future;
        }
    }

    private int Drawn(int b) =>
        (int)(StableHash.Unit(StableHash.Combine(StableHash.Combine(_seed, (ulong)_major ^ 0x5EED_0000_0000_0000UL), (ulong)b)) * _replay.Count);

    private static void Fit(ref float[] array, int length)
    {
        if (array.Length < length) array = new float[length + length / 4];
    }
}
