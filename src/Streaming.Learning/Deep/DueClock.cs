using Streaming.Core.Settings;
using Streaming.Core.Wire;

namespace Streaming.Learning.Deep;

/// <summary>When each kind of version was last cut, and so what is due; where none was, all is. In ms of whatever clock its owner has.</summary>
internal sealed class DueClock(DeepSettings settings)
{
    private long _versionMs = long.MinValue, _denseMs = long.MinValue, _snapshotMs = long.MinValue, _keptMs = long.MinValue;

    public Due At(long nowMs)
    {
        if (!Passed(_versionMs, settings.PublishIntervalMs)) return Due.Nothing;
        return Due.Version
            | (Passed(_denseMs, settings.DenseIntervalMs) ? Due.Dense : 0)
            | (Passed(_snapshotMs, settings.SnapshotIntervalMs) ? Due.Snapshot : 0)
            | (Passed(_keptMs, settings.CheckpointIntervalMs) ? Due.State : 0);

        bool Passed(long since, long interval) => since == long.MinValue || nowMs - since >= interval;
    }

    /// <summary>Notes what was cut.</summary>
    public void Cut(Due due, long nowMs)
    {
        _versionMs = nowMs;
        if ((due & Due.Dense) != 0) _denseMs = nowMs;
        if ((due & Due.Snapshot) != 0) _snapshotMs = nowMs;
        if ((due & Due.State) != 0) _keptMs = nowMs;
    }

    public void Save(CheckpointWriter writer)
    {
        foreach (var value in (ReadOnlySpan<long>)[_versionMs, _denseMs, _snapshotMs, _keptMs]) writer.Int64(value);
    }

    public void Load(CheckpointReader reader) =>
        (_versionMs, _denseMs, _snapshotMs, _keptMs) = (reader.Int64(), reader.Int64(), reader.Int64(), reader.Int64());
}
