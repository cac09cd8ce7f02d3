using Streaming.Core.Log;
using Streaming.Core.Settings;

namespace Streaming.Kafka.Tests;

public sealed class KafkaLibraryTests
{
    [Fact]
    public void A_missing_library_is_told_with_what_to_install()
    {
        KafkaLibrary.Open(["no-such-library-1", "no-such-library-2"], typeof(KafkaLibrary).Assembly, null).ShouldBe(0);
        var text = KafkaLibrary.HowToInstall("it is not on the library path");
        text.ShouldContain("apt-get install librdkafka1");
        text.ShouldContain("brew install librdkafka");
        text.ShouldContain("Log:Kind=embedded");
    }

    [KafkaFact]
    public void The_library_is_found() => Version.Parse(KafkaLibrary.Version.Split('-')[0]).ShouldBeGreaterThanOrEqualTo(new Version(1, 6));

    [KafkaFact]
    public void A_log_without_an_address_is_refused() =>
        Should.Throw<EventLogException>(() => new KafkaEventLog(new KafkaSettings(), new LogSettings(), TimeProvider.System)).Message.ShouldContain("KAFKA_BOOTSTRAP");

    [Fact]
    public void Settings_out_of_range_name_their_path()
    {
        var problems = new SettingsProblems();
        new KafkaSettings { LingerMs = -1, QueueRecordsMax = 0, FetchQueueMbMax = 0 }.Validate(problems);
        problems.List.Select(problem => problem.Split(':')[1]).ShouldBe(["LingerMs", "QueueRecordsMax", "FetchQueueMbMax"]);
    }
}
