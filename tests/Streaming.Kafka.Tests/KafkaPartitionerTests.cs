using System.Text;
using Confluent.Kafka;
using Streaming.Core.Ids;
using Streaming.Core.Log;

namespace Streaming.Kafka.Tests;

public sealed class KafkaPartitionerTests
{
    /// <summary>
    /// librdkafka's murmur2_random is Kafka's default partitioner for records with a key. Seven partitions, so that the modulus
    /// is no power of two and every bit of the hash counts.
    /// </summary>
    [KafkaFact]
    public async Task Our_partition_of_a_key_is_librdkafkas()
    {
        using var cluster = new MockKafkaCluster(brokers: 1);
        const string topic = "partitioner";
        const int partitions = 7;
        cluster.CreateTopic(topic, partitions);
        using var producer = new ProducerBuilder<byte[], Null>(new ProducerConfig
        {
            BootstrapServers = cluster.Bootstrap, Partitioner = Partitioner.Murmur2Random, LingerMs = 5,
        }).Build();
        var keys = VariedKeys();
        var placed = await Task.WhenAll(keys.Select(key => producer.ProduceAsync(topic, new Message<byte[], Null> { Key = key })))
            .WaitAsync(TestKafka.Patience);
        for (var i = 0; i < keys.Length; i++)
            placed[i].Partition.Value.ShouldBe(Murmur2.PartitionOf(keys[i], partitions), Convert.ToHexString(keys[i]));
        placed.Select(one => one.Partition.Value).Distinct().Count().ShouldBe(partitions);
    }

    [KafkaFact]
    public async Task What_another_client_sends_by_key_lies_where_we_look_for_it()
    {
        var settings = TestKafka.Fresh(TestKafka.Log);
        await using var log = TestKafka.Open(settings);
        var count = log.PartitionCount(Topics.Events);
        using (var producer = new ProducerBuilder<string, string>(new ProducerConfig
        {
            BootstrapServers = settings.Bootstrap, Partitioner = Partitioner.Murmur2Random,
        }).Build())
        {
            for (var i = 0; i < 40; i++) producer.Produce(settings.Prefix + Topics.Events, new Message<string, string> { Key = $"user-{i}", Value = $"{i}" });
            producer.Flush(TestKafka.Patience);
        }
        for (var partition = 0; partition < count; partition++)
        {
            var expected = Enumerable.Range(0, 40).Where(i => Murmur2.PartitionOf(Encoding.UTF8.GetBytes($"user-{i}"), count) == partition);
            (await TestKafka.ReadAllAsync(log, Topics.Events, partition)).Select(record => record.Text).ShouldBe(expected.Select(i => $"{i}"));
        }
        await TestKafka.RemoveAsync(settings);
    }

    /// <summary>1,000 keys: numbers, uuids, every length from 1 to 200, words beyond ASCII, bytes above 127.</summary>
    private static byte[][] VariedKeys()
    {
        var random = new Random(20260101);
        string[] words = ["Zoë", "测试", "пользователь", "utilisateur", "🙂", "user", "用户"];
        return [.. Enumerable.Range(0, 1000).Select(i =>
        {
            switch (i % 4)
            {
                case 0: return Encoding.UTF8.GetBytes($"{i * 7919}");
                case 1: return Encoding.UTF8.GetBytes($"{words[random.Next(words.Length)]}-{i}");
                case 2:
                    var bytes = new byte[1 + (i / 4 % 200)];
                    random.NextBytes(bytes);
                    return bytes;
                default: return Encoding.UTF8.GetBytes($"{random.NextInt64():x16}-{random.NextInt64():x16}");
            }
        })];
    }
}
