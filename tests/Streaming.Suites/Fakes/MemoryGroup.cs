using Streaming.Core.Log;

namespace Streaming.Suites.Fakes;

/// <summary>
/// Processes that share the partitions of <c>events</c> of one <see cref="MemoryEventLog"/>: partitions move as a consumer group with cooperative
/// rebalancing moves them, and a member that is not alive any more can commit nothing.
/// </summary>
public sealed class MemoryGroup(MemoryEventLog log)
{
    private readonly Lock _gate = new();
    private readonly List<Member> _members = [];
    private readonly Member?[] _owners = new Member?[log.PartitionCount(Topics.Events)];

    /// <summary>A new process's log.</summary>
    public ISharedLog NewMember(string name) => new Member(this, log, name);

    /// <summary>Writers that others have ended.</summary>
    public List<string> Fenced { get; } = [];

    /// <summary>The group gives a process up that does not answer: it is not told before, and its partitions go to others.</summary>
    public void GiveUp(ISharedLog member)
    {
        lock (_gate) Leave((Member)member, isLost: true);
    }

    private void Leave(Member member, bool isLost)
    {
        _members.Remove(member);
        for (var p = 0; p < _owners.Length; p++)
        {
            if (_owners[p] != member) continue;
            _owners[p] = null;
            if (isLost) member.Lost.Add(p);
        }
        member.Leaving.Clear();
        member.Changed();
        Balance();
    }

    /// <summary>Asks for what is too much, and gives what nobody has.</summary>
    private void Balance()
    {
        if (_members.Count == 0) return;
        for (var i = 0; i < _members.Count; i++)
        {
            var share = _owners.Length / _members.Count + (i < _owners.Length % _members.Count ? 1 : 0);
            var has = Enumerable.Range(0, _owners.Length).Where(p => _owners[p] == _members[i] && !_members[i].Leaving.Contains(p)).ToList();
            foreach (var p in has.Skip(share)) _members[i].Leaving.Add(p);
        }
        for (var p = 0; p < _owners.Length; p++)
            if (_owners[p] is null) _owners[p] = _members.MinBy(m => _owners.Count(o => o == m));
        foreach (var member in _members) member.Changed();
    }

    private sealed class Member(MemoryGroup group, MemoryEventLog log, string name) : ISharedLog, IPartitionShare
    {
        public string Writer => name;
        public HashSet<int> Leaving { get; } = [];
        public HashSet<int> Lost { get; } = [];
        public Action Changed { get; private set; } = () => { };

        public ShareState Now
        {
            get
            {
                lock (group._gate)
                    return new ShareState(
                        [.. Enumerable.Range(0, group._owners.Length).Where(p => group._owners[p] == this && !Leaving.Contains(p))], [.. Leaving.Order()], [.. Lost.Order()]);
            }
        }

        public IPartitionShare Join(string name, string topic, Action changed)
        {
            lock (group._gate)
            {
                Changed = changed;
                group._members.Add(this);
                group.Balance();
            }
            return this;
        }

        public void Release(IReadOnlyCollection<int> partitions)
        {
            lock (group._gate)
            {
                Lost.ExceptWith(partitions);
                foreach (var p in partitions)
                    if (Leaving.Remove(p)) group._owners[p] = null;
                group.Balance();
            }
        }

        public ValueTask FenceAsync(string writer, CancellationToken cancel = default)
        {
            lock (group._gate) group.Fenced.Add(writer);
            return ValueTask.CompletedTask;
        }

        public ValueTask BeginAsync(CancellationToken cancel = default) => ValueTask.CompletedTask;

        public ValueTask TransactAsync(LogTransaction transaction, CancellationToken cancel = default)
        {
            log.Committing?.Invoke(true);
            lock (group._gate)
            {
                var gone = transaction.Positions.SelectMany(t => t.Next).Where(n => group._owners[n.Partition] != this).ToList();
                if (gone.Count > 0) throw new PartitionsLostException($"not {name}'s any more: {string.Join(", ", gone)}");
                log.Commit(transaction);
            }
            log.Committing?.Invoke(false);
            return ValueTask.CompletedTask;
        }

        public int PartitionCount(string topic) => log.PartitionCount(topic);
        public ValueTask<LogPosition[]> AppendAsync(string topic, ReadOnlyMemory<LogEntry> entries, CancellationToken cancel = default) => log.AppendAsync(topic, entries, cancel);
        public ILogReader OpenReader(string topic, int partition, long offset) => log.OpenReader(topic, partition, offset);
        public ValueTask<LogRange> RangeAsync(string topic, int partition, CancellationToken cancel = default) => log.RangeAsync(topic, partition, cancel);
        public ValueTask CommitAsync(string name, string topic, IReadOnlyList<LogPosition> next, CancellationToken cancel = default) => log.CommitAsync(name, topic, next, cancel);
        public ValueTask<IReadOnlyList<LogPosition>> CommittedAsync(string name, string topic, CancellationToken cancel = default) => log.CommittedAsync(name, topic, cancel);

        public ValueTask DisposeAsync()
        {
            lock (group._gate)
                if (group._members.Contains(this)) group.Leave(this, isLost: false);
            return ValueTask.CompletedTask;
        }
    }
}
