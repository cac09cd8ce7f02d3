using System.Net;
using System.Text.RegularExpressions;
using Streaming.Core.Settings;
using Streaming.Host.Cli;
using Streaming.Host.Settings;

namespace Streaming.Host.Tests.Deploy;

/// <summary>One process of ours that a compose file or a manifest starts.</summary>
/// <param name="Where">File and name, for messages.</param>
/// <param name="Arguments">Of the program.</param>
/// <param name="Environment">The image's and its own.</param>
/// <param name="Ports">Of the container, by name; in a compose file those that are published, by number.</param>
/// <param name="Probes">Path and port asked.</param>
internal sealed record DeployedProcess(
    string Where, string[] Arguments, Dictionary<string, string> Environment, Dictionary<string, int> Ports, IReadOnlyList<(string Path, int Port)> Probes)
{
    private const string SettingsPlace = "/etc/streaming/settings.json";
    private const string KeysVariable = "STREAMING_Security__KeysFile";

    /// <summary>All of the compose file and of the manifests.</summary>
    public static IEnumerable<DeployedProcess> All() => OfCompose().Concat(OfKubernetes());

    public static IEnumerable<DeployedProcess> OfCompose()
    {
        var own = DeployFiles.Documents("compose.yaml").Single()["services"].Members.Where(s => s.Value["image"].Text == "streaming");
        var cuda = DeployFiles.Documents("compose.cuda.yaml").Single()["services"];
        foreach (var (name, service) in own)
        {
            var environment = OfImage("Dockerfile");
            foreach (var (key, value) in service["environment"].Members.Concat(cuda[name]["environment"].Members)) environment[key] = value.Text;
            var probe = Regex.Match(string.Join(' ', service["healthcheck"]["test"].Items.Select(i => i.Text)), @"http://127\.0\.0\.1:(\d+)(/\S+)");
            probe.Success.ShouldBeTrue(name);
            yield return new DeployedProcess(
                $"compose.yaml: {name}", [.. service["command"].Items.Select(i => i.Text)], environment,
                service["ports"].Items.ToDictionary(p => p.Text, p => int.Parse(p.Text.Split(':')[^1])), [(probe.Groups[2].Value, int.Parse(probe.Groups[1].Value))]);
        }
    }

    public static IEnumerable<DeployedProcess> OfKubernetes()
    {
        var literals = DeployFiles.Documents("kubernetes/base/kustomization.yaml").Single()["configMapGenerator"].Items.Single(g => g["name"].Text == "streaming-environment")["literals"];
        var patch = DeployFiles.Documents("kubernetes/overlays/gpu/trainer.yaml").Single();
        foreach (var workload in Workloads())
        {
            var pod = workload["spec"]["template"]["spec"];
            var container = pod["containers"].Items.Single();
            var environment = OfImage("Dockerfile");
            foreach (var pair in literals.Items.Select(l => l.Text.Split('=', 2))) environment[pair[0]] = pair[1];
            if (patch["metadata"]["name"].Text == workload["metadata"]["name"].Text)
                foreach (var variable in patch["spec"]["template"]["spec"]["containers"].Items.Single()["env"].Items) environment[variable["name"].Text] = variable["value"].Text;
            var ports = container["ports"].Items.ToDictionary(p => p["name"].Text, p => p["containerPort"].Number);
            var probes = new[] { "startupProbe", "readinessProbe", "livenessProbe" }.Select(p => container[p]["httpGet"]).Select(g => (g["path"].Text, ports[g["port"].Text]));
            foreach (var variable in container["env"].Items.Where(v => v["value"].Exists)) environment[variable["name"].Text] = variable["value"].Text.Replace("$(POD_IP)", "10.0.0.1");
            // The one value that only the cluster has: where the Secret is mounted. Here any file that exists stands for it.
            var secret = pod["volumes"].Items.Single(v => v["secret"].Exists)["name"].Text;
            Path.GetDirectoryName(environment[KeysVariable]).ShouldBe(container["volumeMounts"].Items.Single(m => m["name"].Text == secret)["mountPath"].Text);
            environment[KeysVariable] = SettingsFile;
            yield return new DeployedProcess(workload["metadata"]["name"].Text, [.. container["args"].Items.Select(i => i.Text)], environment, ports, [.. probes]);
        }
    }

    /// <summary>StatefulSets and Deployments of the base.</summary>
    public static IEnumerable<Yaml> Workloads() => new[] { "users.yaml", "serve.yaml", "trainer.yaml" }
        .SelectMany(f => DeployFiles.Documents($"kubernetes/base/{f}")).Where(d => d["kind"].Text is "StatefulSet" or "Deployment");

    /// <summary>What the process would load, from the same files, variables and flags.</summary>
    /// <exception cref="SettingsException">It would not start.</exception>
    public StreamingSettings Load()
    {
        Arguments[0].ShouldBe("node", Where);
        var parse = NodeVerb.Create().Parse(Arguments[1..]);
        parse.Errors.ShouldBeEmpty(Where);
        var roles = Arguments[Array.IndexOf(Arguments, "--role") + 1].Split(',').Select((role, i) => KeyValuePair.Create($"Node:Roles:{i}", (string?)role));
        Arguments[Array.IndexOf(Arguments, "--settings") + 1].ShouldBe(SettingsPlace, Where);
        return SettingsLoader.Load(SettingsFile, roles, Environment);
    }

    private static string SettingsFile => Path.Combine(DeployFiles.Folder, "kubernetes/base/settings.json");

    public static int PortOf(string address) => IPEndPoint.Parse(address).Port;

    /// <summary>The variables that a Dockerfile's last stage sets.</summary>
    public static Dictionary<string, string> OfImage(string dockerfile) =>
        Regex.Matches(LastStage(dockerfile), @"\b(STREAMING_\w+)=(\S+)").ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);

    public static string LastStage(string dockerfile)
    {
        var text = DeployFiles.Text(dockerfile);
        return text[text.LastIndexOf("\nFROM ", StringComparison.Ordinal)..];
    }
}
