using Streaming.Kafka;

namespace Streaming.Host.Tests.Fixtures;

/// <summary>Skipped, with what to install, where librdkafka is absent.</summary>
public sealed class KafkaFactAttribute : FactAttribute
{
    public KafkaFactAttribute() => Skip = KafkaLibrary.Problem;
}
