using System.Reflection;
using Streaming.Core.Settings;

namespace Streaming.Core.Tests.Settings;

public sealed class StreamingSettingsTests
{
    /// <summary>Numbers of which every value makes sense.</summary>
    private static readonly HashSet<string> Unbounded = ["Node:Seed"];

    [Fact]
    public void The_defaults_are_sound() => new StreamingSettings().Validate().ShouldBeEmpty();

    /// <summary>Every number of every section, so that a new setting without a bound fails here.</summary>
    public static TheoryData<string> Numbers()
    {
        var data = new TheoryData<string>();
        foreach (var section in typeof(StreamingSettings).GetProperties())
            foreach (var key in section.PropertyType.GetProperties())
                if ((key.PropertyType == typeof(int) || key.PropertyType == typeof(long) || key.PropertyType == typeof(double))
                    && key.CanWrite && !Unbounded.Contains($"{section.Name}:{key.Name}")) data.Add($"{section.Name}:{key.Name}");
        return data;
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public void A_number_out_of_range_is_named_by_its_path(string path)
    {
        var (settings, section, key) = Find(path);
        object[] bad = key.PropertyType == typeof(int) ? [int.MinValue, int.MaxValue]
            : key.PropertyType == typeof(long) ? [long.MinValue, long.MaxValue]
            : [double.NaN, double.NegativeInfinity, double.PositiveInfinity];
        foreach (var value in bad)
        {
            key.SetValue(section, value);
            settings.Validate().ShouldHaveSingleItem().ShouldStartWith(path + ": is ");
        }
    }

    [Theory]
    [InlineData("Log:Kind", "redis")]
    [InlineData("Node:DataDir", "")]
    [InlineData("Serving:Listen", " ")]
    [InlineData("Experiments:Salt", "")]
    public void A_bad_text_is_named_by_its_path(string path, string value)
    {
        var (settings, section, key) = Find(path);
        key.SetValue(section, value);
        settings.Validate().ShouldHaveSingleItem().ShouldStartWith(path + ":");
    }

    [Fact]
    public void A_bad_weight_is_named_by_its_type_and_all_problems_come_at_once()
    {
        var settings = new StreamingSettings
        {
            Users = new UsersSettings { ActionWeights = new() { ["click"] = double.NaN }, PendingMax = 0 },
            Log = new LogSettings { Partitions = 0 },
        };
        var problems = settings.Validate();
        problems.Count.ShouldBe(3);
        problems.ShouldContain(p => p.StartsWith("Users:ActionWeights:click:"));
        problems.ShouldContain("Users:PendingMax: is 0; allowed is 1 to 10000");
        problems.ShouldContain(p => p.StartsWith("Log:Partitions:"));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("trainer", true)]
    [InlineData("ingest,users,serve", true)]
    [InlineData("ingest,users,trainer,serve", true)]
    [InlineData("serve", false)]
    [InlineData("users,trainer", false)]
    [InlineData("cook", false)]
    public void Roles_that_can_be_a_process(string roles, bool can)
    {
        var settings = new StreamingSettings
        {
            Node = new NodeSettings { Roles = [.. roles.Split(',', StringSplitOptions.RemoveEmptyEntries)] },
            Log = new LogSettings { Kind = "kafka" }, Deep = new DeepSettings { Models = ["din"] },
        };
        settings.Validate().Where(p => p.StartsWith("Node:Roles", StringComparison.Ordinal)).Any().ShouldBe(!can);
        settings.Node.Has(NodeRoles.Trainer).ShouldBe(roles.Length == 0 || roles.Contains("trainer", StringComparison.Ordinal));
    }

    private static (StreamingSettings Settings, object Section, PropertyInfo Key) Find(string path)
    {
        var settings = new StreamingSettings();
        var parts = path.Split(':');
        var section = typeof(StreamingSettings).GetProperty(parts[0])!.GetValue(settings)!;
        return (settings, section, section.GetType().GetProperty(parts[1])!);
    }
}
