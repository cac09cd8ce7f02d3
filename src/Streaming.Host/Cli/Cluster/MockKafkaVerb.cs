using System.CommandLine;
using System.Diagnostics;
using Streaming.Core.Log;
using Streaming.Kafka;

namespace Streaming.Host.Cli.Cluster;

/// <summary><c>kafka-mock</c>: brokers for a check on one machine, in a process that nobody kills. Ends when its stdin does.</summary>
internal static class MockKafkaVerb
{
    private const string Name = "kafka-mock";

    public static Command Create()
    {
        var command = new Command(Name, "Brokers that forget, for checks on one machine: librdkafka's mock cluster, until stdin ends.") { Hidden = true };
        var brokers = new Option<int>("--brokers") { DefaultValueFactory = _ => 3 };
        var partitions = new Option<int>("--partitions") { DefaultValueFactory = _ => 8 };
        var prefixes = new Option<string[]>("--prefix") { AllowMultipleArgumentsPerToken = true };
        foreach (var option in (Option[])[brokers, partitions, prefixes]) command.Options.Add(option);
        command.SetAction((parse, cancel) => CliApp.GuardAsync(async () =>
        {
            using var mock = new MockKafkaCluster(parse.GetValue(brokers));
            foreach (var prefix in parse.GetValue(prefixes) ?? [])
                foreach (var topic in Topics.All) mock.CreateTopic(prefix + topic, Topics.PartitionsOf(topic, parse.GetValue(partitions)));
            Console.WriteLine(mock.Bootstrap);
            while (await Console.In.ReadLineAsync(cancel).ConfigureAwait(false) is not null)
            {
                // Nothing is said to it.
            }
            return 0;
        }));
        return command;
    }

    /// <summary>Starts the verb; the process ends with this one.</summary>
    public static async Task<(Process Process, string Bootstrap)> StartAsync(int partitions, IEnumerable<string> prefixes, CancellationToken cancel)
    {
        var start = NodeProcess.Self([Name, "--partitions", $"{partitions}", .. prefixes.SelectMany(p => (string[])["--prefix", p])]);
        start.RedirectStandardInput = true;
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) => { if (!string.IsNullOrEmpty(line.Data)) Console.Error.WriteLine(line.Data); };
        process.BeginErrorReadLine();
        var bootstrap = await process.StandardOutput.ReadLineAsync(cancel).ConfigureAwait(false);
        return bootstrap is { Length: > 0 } ? (process, bootstrap) : throw new InvalidDataException("the mock brokers did not start");
    }
}
