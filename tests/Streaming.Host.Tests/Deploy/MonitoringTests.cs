using System.Text.Json;
using System.Text.RegularExpressions;
using Streaming.Core.Settings;
using Streaming.Host.Security;
using Streaming.Host.Tests.Metrics;

namespace Streaming.Host.Tests.Deploy;

/// <summary>Alerts and dashboards go by metrics that a process exposes, and every alert is explained and tested.</summary>
[Collection(ProcessWideMeters.Name)]
public sealed partial class MonitoringTests
{
    /// <summary>What Prometheus itself and its configuration add to every series.</summary>
    private static readonly string[] Added = ["job", "role", "instance"];

    private static readonly string[] Words = ["and", "or", "unless", "bool", "offset"];

    [Fact]
    public Task Every_metric_and_label_in_dashboards_and_rules_is_exposed() => MetricsEndpointTests.WithEndpoint(async scrape =>
    {
        MetricsEndpointTests.UseAll("click");
        // The second one counts the first request.
        await scrape();
        var page = await scrape();
        var labels = page.Samples.GroupBy(s => s.Name).ToDictionary(g => g.Key, g => g.SelectMany(s => s.Labels.Keys).ToHashSet());
        labels["up"] = [];

        var expressions = Expressions().ToList();
        expressions.Count.ShouldBeGreaterThan(40);
        foreach (var (where, expression) in expressions)
        {
            var (selectors, grouped) = Parse(expression);
            selectors.ShouldNotBeEmpty(where);
            foreach (var (metric, matched) in selectors)
            {
                labels.ShouldContainKey(metric, $"{where}: {expression}");
                matched.Except(labels[metric]).Except(Added).ShouldBeEmpty($"{where}: {expression}");
            }
            grouped.Except(selectors.SelectMany(s => labels[s.Metric])).Except(Added).ShouldBeEmpty($"{where}: {expression}");
        }
    });

    [Fact]
    public void Expressions_are_taken_apart_as_promql_has_it()
    {
        var (selectors, grouped) = Parse("histogram_quantile(0.99, sum by (instance, le) (rate(a_bucket{x=\"b{c}\", y!~\"d|e\"}[5m]))) > 1 and on (z) f_total == 0");
        selectors.Select(s => s.Metric).ShouldBe(["a_bucket", "f_total"]);
        selectors[0].Labels.ShouldBe(["x", "y"]);
        grouped.ShouldBe(["instance", "le", "z"]);
    }

    [Fact]
    public void Every_alert_has_its_section_of_the_runbook_and_every_section_its_alert()
    {
        var runbook = DeployFiles.Text("RUNBOOK.md");
        var sections = Regex.Matches(runbook[runbook.IndexOf("\n## Alerts\n", StringComparison.Ordinal)..], "(?m)^### (.+)$").Select(m => m.Groups[1].Value).ToList();
        sections.ShouldBe(Alerts().Select(a => a["alert"].Text));
        foreach (var alert in Alerts())
        {
            alert["annotations"]["runbook"].Text.ShouldBe($"RUNBOOK.md#{alert["alert"].Text.ToLowerInvariant()}");
            alert["annotations"]["summary"].Text.ShouldNotBeEmpty();
            alert["labels"]["severity"].Text.ShouldBeOneOf("page", "ticket");
        }
    }

    [Fact]
    public void Every_alert_has_a_unit_test_in_which_it_fires_and_one_in_which_it_does_not()
    {
        var checks = DeployFiles.Documents("prometheus/rules.test.yml").Single()["tests"].Items.SelectMany(t => t["alert_rule_test"].Items)
            .ToLookup(c => c["alertname"].Text, c => c["exp_alerts"].Items.Count > 0);
        foreach (var alert in Alerts().Select(a => a["alert"].Text)) checks[alert].Distinct().Count().ShouldBe(2, alert);
    }

    [CommandsFact("promtool")]
    public void Promtool_accepts_the_rules_their_tests_and_the_configuration()
    {
        foreach (var arguments in (string[][])[["check", "rules", "prometheus/rules.yml"], ["test", "rules", "prometheus/rules.test.yml"], ["check", "config", "--syntax-only", "prometheus/prometheus.yml"]])
        {
            var (code, output) = DeployFiles.Run("promtool", arguments);
            code.ShouldBe(0, output);
        }
    }

    [Fact]
    public void Prometheus_asks_every_process_at_its_admin_address()
    {
        var scrape = DeployFiles.Documents("prometheus/prometheus.yml").Single()["scrape_configs"].Items.Single();
        RouteScopes.All.ShouldContain(r => r.Route == "/metrics" && r.Scope == Scopes.Admin);
        scrape["metrics_path"].Exists.ShouldBeFalse("/metrics is what Prometheus asks by itself");
        var targets = scrape["static_configs"].Items.ToDictionary(c => c["targets"].Items.Single().Text, c => c["labels"]["role"].Text);
        targets.ShouldBe(
            DeployedProcess.OfCompose().ToDictionary(
                p => $"{p.Where.Split(' ')[^1]}:{DeployedProcess.PortOf(p.Load().Serving.AdminListen)}", p => p.Load().Node is { IsTrainerAlone: true } ? "trainer" : p.Load().Node.Has(NodeRoles.Users) ? "node" : "serve"),
            ignoreOrder: true);
        // The key reaches it as a secret of the name in the configuration.
        var secret = Path.GetFileName(scrape["authorization"]["credentials_file"].Text);
        var compose = DeployFiles.Documents("compose.yaml").Single();
        compose["services"]["prometheus"]["secrets"].Items.Select(s => s.Text).ShouldContain(secret);
        compose["secrets"][secret].Exists.ShouldBeTrue();
    }

    [Fact]
    public void Dashboards_name_the_provisioned_data_source()
    {
        var known = DeployFiles.Documents("grafana/provisioning/datasources/prometheus.yaml").Single()["datasources"].Items.Single();
        DeployFiles.Documents("compose.yaml").Single()["services"][new Uri(known["url"].Text).Host].Exists.ShouldBeTrue();
        var used = Regex.Matches(DeployFiles.Text("grafana/dashboards/streaming.json"), "(?s)\"datasource\": \\{[^}]*\"uid\": \"([^\"]*)\"").Select(m => m.Groups[1].Value).ToList();
        used.Count.ShouldBeGreaterThan(20);
        used.ShouldAllBe(uid => uid == known["uid"].Text);
    }

    private static IEnumerable<Yaml> Alerts() => DeployFiles.Documents("prometheus/rules.yml").Single()["groups"].Items.SelectMany(g => g["rules"].Items);

    private static IEnumerable<(string Where, string Expression)> Expressions()
    {
        foreach (var alert in Alerts()) yield return (alert["alert"].Text, alert["expr"].Text);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(DeployFiles.Folder, "grafana/dashboards"), "*.json"))
        {
            using var dashboard = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (var panel in dashboard.RootElement.GetProperty("panels").EnumerateArray().Where(p => p.TryGetProperty("targets", out _)))
            foreach (var target in panel.GetProperty("targets").EnumerateArray())
                yield return (panel.GetProperty("title").GetString()!, target.GetProperty("expr").GetString()!);
        }
    }

    /// <summary>The series that an expression selects, with the labels that it matches, and the labels that it groups or joins by.</summary>
    private static (List<(string Metric, string[] Labels)> Selectors, List<string> Grouped) Parse(string expression)
    {
        var rest = Range().Replace(Quoted().Replace(expression, "\"\""), " ");
        var grouped = Grouping().Matches(rest).SelectMany(m => m.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToList();
        rest = Grouping().Replace(rest, " ");
        return ([.. Selector().Matches(rest).Where(m => !Words.Contains(m.Groups[1].Value))
            .Select(m => (m.Groups[1].Value, Matcher().Matches(m.Groups[2].Value).Select(l => l.Groups[1].Value).ToArray()))], grouped);
    }

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\[[^\]]*\]")]
    private static partial Regex Range();

    [GeneratedRegex(@"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"(?<![\w.$])([A-Za-z_:][\w:]*)\b(?!\s*\()(?:\s*\{([^}]*)\})?")]
    private static partial Regex Selector();

    [GeneratedRegex(@"(\w+)\s*(?:=~|!~|!=|=)")]
    private static partial Regex Matcher();
}
