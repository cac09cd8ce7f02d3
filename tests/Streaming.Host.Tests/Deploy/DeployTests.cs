using System.Text.RegularExpressions;
using Streaming.Core.Settings;
using Streaming.Host.Security;

namespace Streaming.Host.Tests.Deploy;

/// <summary>What deploy/ starts is what the program can be: settings, roles, addresses, routes, keys.</summary>
public sealed partial class DeployTests
{
    [Fact]
    public void Every_yaml_file_parses()
    {
        var paths = DeployFiles.YamlPaths().ToList();
        paths.Count.ShouldBeGreaterThan(10);
        foreach (var path in paths) Should.NotThrow(() => DeployFiles.Documents(path).ShouldNotBeEmpty(path), path);
    }

    [Fact]
    public void Every_process_would_load_its_settings_and_answer_only_those_with_keys()
    {
        foreach (var process in DeployedProcess.All())
        {
            var settings = process.Load();
            settings.Log.Kind.ShouldBe("kafka", process.Where);
            settings.Kafka.Bootstrap.ShouldNotBeEmpty(process.Where);
            settings.Security.AllowAnonymous.ShouldBeFalse(process.Where);
            (settings.Security.KeysFile.Length > 0 || process.Environment.ContainsKey(ApiKeys.Variable)).ShouldBeTrue(process.Where);
            Should.NotThrow(() => Exposure.Check(settings, hasKeys: true), process.Where);
            settings.Node.DataDir.ShouldStartWith("/data/", customMessage: process.Where);
        }
    }

    [Fact]
    public void A_setting_that_does_not_exist_would_be_found()
    {
        var process = DeployedProcess.OfCompose().First();
        process.Environment["STREAMING_Kafka__Replication"] = "1";
        Should.Throw<Host.Settings.SettingsException>(() => process.Load()).Message.ShouldContain("Kafka:Replication: there is no such setting");
    }

    [Fact]
    public void Each_deployment_has_every_role_several_of_all_but_the_trainer()
    {
        foreach (var deployment in new[] { DeployedProcess.OfCompose().ToList(), DeployedProcess.OfKubernetes().ToList() })
        {
            deployment.SelectMany(p => p.Load().Node.Roles).Distinct().ShouldBe(NodeRoles.All, ignoreOrder: true);
            deployment.Count(p => p.Load().Node.IsTrainerAlone).ShouldBe(1);
            deployment.ShouldAllBe(p => p.Load().Kafka.IsShared);
        }
        foreach (var role in (string[])[NodeRoles.Ingest, NodeRoles.Users, NodeRoles.Serve]) DeployedProcess.OfCompose().Count(p => p.Load().Node.Has(role)).ShouldBe(2, role);
        // Each model has one writer.
        foreach (var workload in DeployedProcess.Workloads())
            workload["spec"]["replicas"].Number.ShouldBe(workload["metadata"]["name"].Text == "streaming-trainer" ? 1 : 2);
    }

    [Fact]
    public void Others_reach_every_node_at_what_it_says_of_itself()
    {
        foreach (var service in DeployFiles.Documents("compose.yaml").Single()["services"].Members.Where(s => s.Value["image"].Text == "streaming" && s.Key != "trainer"))
            service.Value["hostname"].Text.ShouldBe(service.Key, "the machine's name is what a node says where it listens on all addresses");
        foreach (var workload in DeployedProcess.Workloads().Where(w => w["metadata"]["name"].Text != "streaming-trainer"))
        {
            var container = workload["spec"]["template"]["spec"]["containers"].Items.Single();
            var (ports, own) = (container["ports"].Items.ToDictionary(p => p["name"].Text, p => p["containerPort"].Number), container["env"].Items.ToDictionary(e => e["name"].Text));
            own["POD_IP"]["valueFrom"]["fieldRef"]["fieldPath"].Text.ShouldBe("status.podIP");
            own["STREAMING_Node__Advertise"]["value"].Text.ShouldBe($"http://$(POD_IP):{ports["http"]}");
            own["STREAMING_Node__AdvertiseAdmin"]["value"].Text.ShouldBe($"http://$(POD_IP):{ports["admin"]}");
        }
    }

    [Fact]
    public void Addresses_ports_and_probes_agree()
    {
        var open = RouteScopes.All.Where(r => r.Scope == Scopes.Open).Select(r => r.Route).ToList();
        foreach (var process in DeployedProcess.All())
        {
            var serving = process.Load().Serving;
            var (own, admin) = (DeployedProcess.PortOf(serving.Listen), DeployedProcess.PortOf(serving.AdminListen));
            process.Probes.ShouldNotBeEmpty(process.Where);
            foreach (var (path, port) in process.Probes)
            {
                open.ShouldContain(path, process.Where);
                port.ShouldBe(own, process.Where);
            }
            if (process.Ports.ContainsKey("http")) process.Ports.ShouldBe(new Dictionary<string, int> { ["http"] = own, ["admin"] = admin }, ignoreOrder: true);
            else process.Ports.Values.ShouldAllBe(port => port == own, process.Where);
            foreach (var dockerfile in Dockerfiles)
                Regex.Match(DeployedProcess.LastStage(dockerfile), "EXPOSE (.*)").Groups[1].Value.ShouldBe($"{own} {admin}");
        }
    }

    [Fact]
    public void Services_select_pods_that_have_the_port_and_keep_operators_apart()
    {
        var pods = DeployedProcess.Workloads().Select(w => w["spec"]["template"]).ToList();
        var services = DeployFiles.Documents("kubernetes/base/services.yaml");
        services.Count.ShouldBe(5);
        foreach (var service in services)
        {
            var port = service["spec"]["ports"].Items.Single()["targetPort"].Text;
            var pod = pods.Single(p => service["spec"]["selector"].Labels.All(l => p["metadata"]["labels"].Labels.GetValueOrDefault(l.Key) == l.Value));
            pod["spec"]["containers"].Items.Single()["ports"].Items.ShouldContain(p => p["name"].Text == port);
            (port == "admin").ShouldBe(service["metadata"]["name"].Text.EndsWith("-admin", StringComparison.Ordinal));
        }
        foreach (var workload in DeployedProcess.Workloads())
            workload["spec"]["selector"]["matchLabels"].Labels.ShouldBe(workload["spec"]["template"]["metadata"]["labels"].Labels);
    }

    [Fact]
    public void Pods_are_nobody_special_and_see_no_variables_of_services()
    {
        foreach (var pod in DeployedProcess.Workloads().Select(w => w["spec"]["template"]["spec"]))
        {
            // They begin with STREAMING_, and one that is no setting stops the start.
            pod["enableServiceLinks"].Text.ShouldBe("false");
            pod["securityContext"]["runAsNonRoot"].Text.ShouldBe("true");
            var container = pod["containers"].Items.Single();
            container["securityContext"]["readOnlyRootFilesystem"].Text.ShouldBe("true");
            var volumes = pod["volumes"].Items.Select(v => v["name"].Text).Append("data").ToHashSet();
            container["volumeMounts"].Items.ShouldAllBe(m => volumes.Contains(m["name"].Text));
            // Kubernetes stops a pod that is not done by then; a last checkpoint takes seconds.
            pod["terminationGracePeriodSeconds"].Number.ShouldBeGreaterThanOrEqualTo(60);
        }
        foreach (var dockerfile in Dockerfiles)
        {
            var user = Regex.Match(DeployedProcess.LastStage(dockerfile), @"(?m)^USER (\d+):\d+$").Groups[1].Value;
            int.Parse(user).ShouldBeGreaterThan(0, dockerfile);
            DeployedProcess.Workloads().ShouldAllBe(w => w["spec"]["template"]["spec"]["securityContext"]["runAsUser"].Text == user);
        }
    }

    [Fact]
    public void Images_are_built_of_what_is_there()
    {
        var root = ReadmeTests.Root();
        foreach (var kept in File.ReadLines(Path.Combine(root, ".dockerignore")).Where(l => l.StartsWith('!')).Select(l => l[1..]))
            Path.Exists(Path.Combine(root, kept)).ShouldBeTrue(kept);
        var functions = Regex.Matches(DeployFiles.Text("setup.sh"), @"(?m)^(\w+)\(\) \{").Select(m => m.Groups[1].Value).ToHashSet();
        foreach (var dockerfile in Dockerfiles)
        {
            var steps = Regex.Match(DeployFiles.Text(dockerfile), @"\. deploy/setup\.sh; (.*?); \\").Groups[1].Value.Split("; ");
            steps.ShouldNotBeEmpty(dockerfile);
            steps.ShouldAllBe(step => functions.Contains(step), dockerfile);
            File.Exists(Path.Combine(root, Regex.Match(DeployFiles.Text(dockerfile), @"dotnet publish (\S+)").Groups[1].Value)).ShouldBeTrue(dockerfile);
        }
    }

    [Fact]
    public void The_runbooks_keys_are_sound()
    {
        var line = Regex.Match(DeployFiles.Text("RUNBOOK.md"), "(?m)^STREAMING_API_KEYS=\"(.*)\"$").Groups[1].Value;
        var n = 0;
        var keys = new ApiKeys(new SecuritySettings(), Regex.Replace(line, @"\$\(key\)|\$ops", _ => $"{++n}".PadLeft(64, '0')), _ => { });
        n.ShouldBe(3);
        keys.Find($"{n}".PadLeft(64, '0')).ShouldNotBeNull().Scopes.ShouldBe(Scopes.Admin, "the key that Prometheus is given");
    }

    [Fact]
    public void Every_setting_that_the_runbook_names_exists()
    {
        var sections = typeof(StreamingSettings).GetProperties().Where(p => p.CanWrite).Select(p => p.Name).ToHashSet();
        var named = SettingPath().Matches(DeployFiles.Text("RUNBOOK.md")).Select(m => m.Groups[1].Value.Split(':')).Where(p => sections.Contains(p[0])).ToList();
        named.Count.ShouldBeGreaterThan(15);
        foreach (var path in named)
            path.Aggregate(typeof(StreamingSettings), (type, key) => type.GetProperty(key).ShouldNotBeNull(string.Join(':', path)).PropertyType);
    }

    [CommandsFact("kubectl")]
    public void Kustomize_renders_base_and_overlay()
    {
        foreach (var (folder, image) in new[] { ("kubernetes/base", "streaming:latest"), ("kubernetes/overlays/gpu", "streaming-cuda:latest"), ("kubernetes/overlays/autoscale", "streaming:latest"), ("kubernetes/overlays/akka", "streaming:latest") })
        {
            var (code, output) = DeployFiles.Run("kubectl", "kustomize", folder);
            code.ShouldBe(0, output);
            var documents = DeployFiles.Parse(output);
            var trainer = documents.Single(d => d["kind"].Text == "Deployment" && d["metadata"]["name"].Text == "streaming-trainer")["spec"]["template"]["spec"];
            trainer["containers"].Items.Single()["image"].Text.ShouldBe(image);
            trainer["nodeSelector"].Exists.ShouldBe(folder.EndsWith("gpu", StringComparison.Ordinal));
            // Labels that are added to everything must not change whom the admin port answers.
            var allowed = documents.Single(d => d["kind"].Text == "NetworkPolicy")["spec"]["ingress"].Items.Single(i => i["from"].Exists && i["ports"].Items.Any(p => p["port"].Text == "admin"))["from"].Items;
            allowed.ShouldContain(f => f["podSelector"]["matchLabels"].Labels.GetValueOrDefault("app.kubernetes.io/name") == "prometheus");
            foreach (var budget in documents.Where(d => d["kind"].Text == "PodDisruptionBudget"))
                budget["spec"]["selector"]["matchLabels"].Labels.ShouldBe(Workload(documents, budget["metadata"]["name"].Text)["spec"]["selector"]["matchLabels"].Labels);
            var scaled = documents.Where(d => d["kind"].Text == "HorizontalPodAutoscaler").ToList();
            scaled.Count.ShouldBe(folder.EndsWith("autoscale", StringComparison.Ordinal) ? 1 : 0);
            foreach (var scaler in scaled)
            {
                Workload(documents, scaler["spec"]["scaleTargetRef"]["name"].Text)["spec"]["replicas"].Exists.ShouldBeFalse("two would say how many");
                var rule = DeployFiles.Documents("kubernetes/overlays/autoscale/adapter-rule.yaml").Single()["rules"].Items.Single();
                scaler["spec"]["metrics"].Items.First()["pods"]["metric"]["name"].Text.ShouldBe(rule["name"]["as"].Text);
                rule["seriesQuery"].Text.ShouldStartWith("streaming_lookup_seconds_bucket{");
            }
        }
    }

    /// <summary>The overlay's names are those of the seeds in <c>hocon/kubernetes.conf</c>, and its settings exist.</summary>
    [CommandsFact("kubectl")]
    public void The_akka_overlay_and_its_hocon_name_the_same_pods()
    {
        var (code, output) = DeployFiles.Run("kubectl", "kustomize", "kubernetes/overlays/akka");
        code.ShouldBe(0, output);
        var documents = DeployFiles.Parse(output);
        var users = documents.Single(d => d["kind"].Text == "StatefulSet");
        var container = users["spec"]["template"]["spec"]["containers"].Items.Single();
        var own = container["env"].Items.Where(e => e["value"].Exists).ToDictionary(e => e["name"].Text, e => e["value"].Text);
        own["STREAMING_Node__Actors"].ShouldBe("akka");
        var hocon = Streaming.Akka.AkkaHost.ReadHocon(own["STREAMING_Node__Hocon"] + ".conf");
        var port = container["ports"].Items.Single(p => p["name"].Text == "akka")["containerPort"].Number;
        hocon.ShouldContain($"tcp.port = {port}");
        for (var pod = 0; pod < users["spec"]["replicas"].Number; pod++)
            hocon.ShouldContain($"akka.tcp://streaming@{own["AKKA_PUBLIC_HOST"].Replace("$(POD_NAME)", $"{users["metadata"]["name"].Text}-{pod}")}:{port}");
        hocon.ShouldContain("${?AKKA_PUBLIC_HOST}");
    }

    private static Yaml Workload(IEnumerable<Yaml> documents, string name) => documents.Single(d => d["kind"].Text is "StatefulSet" or "Deployment" && d["metadata"]["name"].Text == name);

    private static readonly string[] Dockerfiles = ["Dockerfile", "Dockerfile.cuda"];

    [GeneratedRegex(@"`([A-Z][A-Za-z]+(?::[A-Z][A-Za-z]+)+)")]
    private static partial Regex SettingPath();
}
