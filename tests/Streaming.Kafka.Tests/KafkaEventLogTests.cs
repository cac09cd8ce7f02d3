using Streaming.Core.Log;
using Streaming.Core.Settings;
using Streaming.Suites;

namespace Streaming.Kafka.Tests;

/// <summary>The contract of the event log, on KAFKA_BOOTSTRAP or the mock cluster. Reopening keeps the prefix, so the brokers keep the records.</summary>
public sealed class KafkaEventLogTests : EventLogSuite
{
    private KafkaSettings? _kafka;

    protected override Task<IEventLog> OpenAsync(LogSettings settings) =>
        Task.FromResult<IEventLog>(new KafkaEventLog(_kafka ??= TestKafka.Fresh(settings), settings, TimeProvider.System));

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        await TestKafka.RemoveAsync(_kafka!);
    }
}
