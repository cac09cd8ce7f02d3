using System.Collections;
using Streaming.Core.Settings;
using Streaming.Host.Settings;

namespace Streaming.Host.Tests.Settings;

public sealed class SettingsLoaderTests
{
    [Fact]
    public void What_nobody_sets_has_its_default()
    {
        var settings = Load();
        settings.Users.SessionGapMs.ShouldBe(new UsersSettings().SessionGapMs);
        settings.Serving.Listen.ShouldBe("127.0.0.1:8080");
    }

    [Fact]
    public void A_file_yields_to_the_environment_and_that_to_flags() => WithFile(
        """{ "Users": { "SessionGapMs": 2000, "HistoryMax": 11, "PendingMax": 12 } }""",
        file =>
        {
            var settings = Load(
                file, environment: new() { ["STREAMING_Users__HistoryMax"] = "21", ["STREAMING_USERS__PENDINGMAX"] = "22" }, flags: ("users:pendingmax", "32"));
            settings.Users.SessionGapMs.ShouldBe(2000);
            settings.Users.HistoryMax.ShouldBe(21);
            settings.Users.PendingMax.ShouldBe(32);
        });

    [Fact]
    public void Everything_wrong_is_reported_at_once_by_its_path() => WithFile(
        """{ "Users": { "SesionGapMs": 1, "HistoryMax": "many" }, "Feed": {}, "Feeds": { "ListLength": 0, "MmrLambda": "NaN" } }""",
        file =>
        {
            var problems = Problems(
                file, environment: new() { ["STREAMING_Log__Kind"] = "paper" },
                flags: [("Users:ActionWeights:click", "a lot"), ("Serving:Listen", "localhost:80"), ("Node", "5"), ("Learning:Features:0", "colour"), ("Node:Seed", "1.5")]);
            problems.ShouldContain("Users:SesionGapMs: there is no such setting; did you mean 'SessionGapMs'?");
            problems.ShouldContain("Users:HistoryMax: 'many' is not a whole number in range");
            problems.ShouldContain("Feed: there is no such setting; did you mean 'Feeds'?");
            problems.ShouldContain("Feeds:ListLength: is 0; allowed is 1 to 1000");
            problems.ShouldContain("Feeds:MmrLambda: is NaN; allowed is 0 to 1");
            problems.ShouldContain("Log:Kind: is 'paper'; allowed are 'embedded' and 'kafka'");
            problems.ShouldContain("Users:ActionWeights:click: 'a lot' is not a number");
            problems.ShouldContain(p => p.StartsWith("Serving:Listen: is 'localhost:80'; it must be IP:PORT"));
            problems.ShouldContain("Node: expected a section, found '5'");
            problems.ShouldContain(p => p.StartsWith("Learning:Features:0: is 'colour'; allowed are "));
            problems.ShouldContain("Node:Seed: '1.5' is not a whole number in range");
            problems.Count.ShouldBe(11);
        });

    [Fact]
    public void A_dictionary_keeps_the_defaults_that_are_not_named()
    {
        var settings = Load(flags: [("Users:ActionWeights:my_type", "0.5"), ("Users:ActionWeights:click", "2"), ("Feeds:Surfaces:mail:ListLength", "10"), ("Feeds:Surfaces:mail:Quotas:fresh", "0")]);
        settings.Users.ActionWeights["my_type"].ShouldBe(.5);
        settings.Users.ActionWeights["click"].ShouldBe(2);
        settings.Users.ActionWeights["like"].ShouldBe(new UsersSettings().ActionWeights["like"]);
        settings.Feeds.Surfaces["mail"].ListLength.ShouldBe(10);
        settings.Feeds.Surfaces["mail"].SeenMax.ShouldBeNull();
        settings.Feeds.Surfaces["mail"].Quotas["fresh"].ShouldBe(0);
    }

    [Fact]
    public void A_list_is_named_by_its_elements() => WithFile(
        """{ "Learning": { "Features": ["bias", "user"], "Crosses": [] }, "Feeds": { "ExcludedCategories": ["ads", "adult"] } }""",
        file =>
        {
            var settings = Load(file, flags: ("Feeds:Surfaces:kids:RequiredCategories:0", "kids"));
            settings.Learning.Features.ShouldBe(["bias", "user"]);
            settings.Learning.Crosses.ShouldBeEmpty();
            settings.Feeds.ExcludedCategories.ShouldBe(["ads", "adult"]);
            settings.Feeds.Surfaces["kids"].RequiredCategories.ShouldBe(["kids"]);
            Problems(flags: ("Feeds:ExcludedCategories", "ads")).ShouldBe(["Feeds:ExcludedCategories: expected a list, found 'ads'; name its elements, as Feeds:ExcludedCategories:0"]);
        });

    [Fact]
    public void A_section_is_no_value_and_a_value_no_section() => WithFile(
        """{ "Users": { "HistoryMax": { "a": 1 }, "ActionWeights": 3 } }""",
        file => Problems(file).ShouldBe(
            ["Users:ActionWeights: expected a section, found '3'", "Users:HistoryMax: expected a single value, found a section"], ignoreOrder: true));

    [Fact]
    public void Kafkas_address_comes_from_its_usual_variable()
    {
        var environment = new Hashtable { ["KAFKA_BOOTSTRAP"] = "broker:9092" };
        Load(environment: environment).Kafka.Bootstrap.ShouldBe("broker:9092");
        Load(environment: environment, flags: ("Kafka:Bootstrap", "other:9092")).Kafka.Bootstrap.ShouldBe("other:9092");
    }

    [Theory]
    [InlineData("STREAMING_DATA")]
    [InlineData("STREAMING_INSTALL")]
    [InlineData("STREAMING_TORCH")]
    [InlineData("STREAMING_REPROBE")]
    [InlineData("STREAMING_LOG_LEVEL")]
    public void The_launchers_own_variables_are_no_settings(string name) => Load(environment: new() { [name] = "no" }).ShouldNotBeNull();

    [Fact]
    public void A_variable_that_means_no_setting_is_named() =>
        Problems(environment: new() { ["STREAMING_Users__History"] = "1" }).Single().ShouldBe("Users:History: there is no such setting; did you mean 'HistoryMax'?");

    [Theory]
    [InlineData("{ \"Users\": ")]
    [InlineData("[1]")]
    [InlineData("{ \"Node\": { \"Seed\": 1, \"seed\": 2 } }")]
    public void A_file_that_is_no_json_object_is_named(string json) => WithFile(json, file => Problems(file).Single().ShouldStartWith(file + ": it is not valid JSON: "));

    [Fact]
    public void A_file_that_is_not_there_is_named() => Problems("/nowhere/at-all.json").ShouldBe(["--settings: there is no file '/nowhere/at-all.json'"]);

    [Fact]
    public void A_hidden_file_is_read() => WithFile("""{ "Users": { "HistoryMax": 7 } }""", file => Load(file).Users.HistoryMax.ShouldBe(7), ".hidden.json");

    [Fact]
    public void The_file_beside_the_program_is_sound() => File.Exists(Path.Combine(AppContext.BaseDirectory, "appsettings.json")).ShouldBeTrue();

    private static StreamingSettings Load(string? file = null, Hashtable? environment = null, params (string Key, string Value)[] flags) =>
        SettingsLoader.Load(file, flags.Select(f => KeyValuePair.Create(f.Key, (string?)f.Value)), environment ?? []);

    private static IReadOnlyList<string> Problems(string? file = null, Hashtable? environment = null, params (string Key, string Value)[] flags) =>
        Should.Throw<SettingsException>(() => Load(file, environment, flags)).Problems;

    private static void WithFile(string json, Action<string> use, string name = "settings.json")
    {
        var folder = Directory.CreateTempSubdirectory("streaming-test-");
        try
        {
            var file = Path.Combine(folder.FullName, name);
            File.WriteAllText(file, json);
            use(file);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
