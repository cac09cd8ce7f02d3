using Streaming.Suites;
using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: TestFramework("Streaming.Kafka.Tests.KafkaTestFramework", "Streaming.Kafka.Tests")]

namespace Streaming.Kafka.Tests;

/// <summary>A fact that needs librdkafka; skipped, with what to install, where it is absent.</summary>
public sealed class KafkaFactAttribute : FactAttribute
{
    public KafkaFactAttribute() => Skip = KafkaLibrary.Problem;
}

/// <summary>A fact that the mock cluster cannot prove: it runs against the brokers of KAFKA_BOOTSTRAP, and is skipped without.</summary>
[TraitDiscoverer("Streaming.Kafka.Tests.RealBrokerTraitDiscoverer", "Streaming.Kafka.Tests")]
public sealed class RealBrokerFactAttribute : FactAttribute, ITraitAttribute
{
    public RealBrokerFactAttribute(string mockCannot) =>
        Skip = KafkaLibrary.Problem ?? (TestKafka.RealBootstrap is null ? $"set KAFKA_BOOTSTRAP to run it: the mock cluster {mockCannot}" : null);
}

/// <summary>Marks them "Broker: real" for filters.</summary>
public sealed class RealBrokerTraitDiscoverer : ITraitDiscoverer
{
    public IEnumerable<KeyValuePair<string, string>> GetTraits(IAttributeInfo traitAttribute) => [new("Broker", "real")];
}

/// <summary>
/// The contract suite's facts are plain ones, which cannot skip themselves; where librdkafka is absent its subclasses are left
/// out of the discovery. The Kafka facts beside them then show the reason.
/// </summary>
public sealed class KafkaTestFramework(IMessageSink messageSink) : XunitTestFramework(messageSink)
{
    protected override ITestFrameworkDiscoverer CreateDiscoverer(IAssemblyInfo assembly) =>
        new Discoverer(assembly, SourceInformationProvider, DiagnosticMessageSink);

    private sealed class Discoverer(IAssemblyInfo assembly, ISourceInformationProvider source, IMessageSink diagnostics)
        : XunitTestFrameworkDiscoverer(assembly, source, diagnostics)
    {
        protected override bool FindTestsForType(
            ITestClass testClass, bool includeSourceInformation, IMessageBus messageBus, ITestFrameworkDiscoveryOptions discoveryOptions) =>
            (KafkaLibrary.Problem is not null && typeof(EventLogSuite).IsAssignableFrom(testClass.Class.ToRuntimeType()))
            || base.FindTestsForType(testClass, includeSourceInformation, messageBus, discoveryOptions);
    }
}
