using System.Text;
using System.Text.Json.Nodes;
using Streaming.Core.Settings;
using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Http;

/// <summary>The description of the API: as checked in, and true of a running node.</summary>
public sealed class OpenApiTests
{
    private const string Place = "src/Streaming.Host/Http/openapi.v1.json";

    /// <summary>Those that make come first and those that take away last; else as they stand.</summary>
    private static readonly string[] First = ["postItems", "putItem", "postEvents", "putUser", "putExperiments", "stepExperiment"], Last = ["deleteItem", "deleteUser", "getDeletion"];

    [Fact]
    public async Task The_checked_in_description_is_the_one_served()
    {
        await using var live = await LiveNode.StartAsync();
        var served = (await live.GetAsync("/openapi/v1.json")).Text;
        // curl -s http://127.0.0.1:8080/openapi/v1.json > src/Streaming.Host/Http/openapi.v1.json writes it anew; then the clients (src/Streaming.Client/typescript).
        (await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), Place))).ShouldBe(served, $"{Place} is not what a node serves");
    }

    [Fact]
    public async Task Every_operation_answers_its_example_as_described()
    {
        // The one deep model that needs no libtorch, to be rolled back.
        await using var live = await LiveNode.StartAsync(LiveNode.SmallSettings with
        {
            Experiments = new ExperimentsSettings { HoldoutShare = 0, FirstListWaitMs = 30_000 }, Deep = new DeepSettings { Models = ["drn"], Device = "cpu" },
        });
        // A record of a type without a weight is set aside, and its form is right, so that it can be sent again.
        await live.EventAsync("""{"type":"playlist_add","user":"bob","item":"m1"}""");
        var letters = await live.UntilAsync(() => live.GetAsync("/v1/dead-letters"), a => a.Json.GetProperty("letters").GetArrayLength() == 1);
        var letter = letters.Json.GetProperty("letters")[0].GetProperty("offset").ToString();
        var document = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), Place)))!;
        var schemas = new SchemaCheck(document);
        var operations = ((JsonObject)document["paths"]!).SelectMany(p => ((JsonObject)p.Value!).Select(o => (Path: p.Key, Method: o.Key, Operation: (JsonObject)o.Value!)))
            .OrderBy(o => Rank((string)o.Operation["operationId"]!)).ToList();
        operations.Count.ShouldBeGreaterThan(25);
        foreach (var (path, method, operation) in operations)
        {
            var id = (string)operation["operationId"]!;
            foreach (var (content, needsExample) in Contents(operation)) Examples(schemas, content, needsExample, id);
            // Where a record lies is not the example's to say.
            using var request = RequestOf(id == "retryDeadLetter" ? path.Replace("{offset}", letter) : path, method, operation);
            // Lists, users and figures come a round after what they are made of.
            var (status, type, text) = await UntilAsync(live, request, answer => answer.Status < 500 && answer.Status != 404);
            status.ShouldBe(200, $"{id}: {text}");
            var described = operation["responses"]!["200"]!["content"]![type];
            described.ShouldNotBeNull($"{id} answers {type}");
            var answer = type == "application/json" ? JsonNode.Parse(text) : JsonValue.Create(text);
            schemas.Check(answer, described["schema"]!, id);
            Members(described["example"], answer, id);
        }
        // A refusal is the problem document that every operation names.
        using var refused = new HttpRequestMessage(HttpMethod.Get, "/v1/feed/ann?limit=0");
        var problem = await SendAsync(live, refused);
        problem.Status.ShouldBe(400);
        schemas.Check(JsonNode.Parse(problem.Text), document["components"]!["schemas"]!["Problem"]!, "Problem");
    }

    private static int Rank(string id) => Array.IndexOf(First, id) is var first and >= 0 ? first - 100 : 1 + Array.IndexOf(Last, id);

    /// <summary>What the operation takes and answers; refusals need no example of their own, since they have one form.</summary>
    private static IEnumerable<(JsonNode Content, bool NeedsExample)> Contents(JsonObject operation)
    {
        IEnumerable<(JsonNode? Body, bool Needs)> bodies = [(operation["requestBody"]?["content"], true), .. ((JsonObject)operation["responses"]!).Select(r => (r.Value!["content"], r.Key == "200"))];
        return bodies.Where(b => b.Body is JsonObject).SelectMany(b => ((JsonObject)b.Body!).Select(c => (c.Value!, b.Needs)));
    }

    private static void Examples(SchemaCheck schemas, JsonNode content, bool needsExample, string id)
    {
        var example = content["example"];
        if (needsExample) example.ShouldNotBeNull($"{id} has a body without an example");
        if (example is not null) schemas.Check(example, content["schema"]!, $"{id}, example");
    }

    /// <summary>An example shows nothing that the answer does not have; of arrays the first elements are compared, where both have one.</summary>
    private static void Members(JsonNode? example, JsonNode? answer, string where)
    {
        if (example is JsonArray { Count: > 0 } shown && answer is JsonArray { Count: > 0 } had) Members(shown[0], had[0], where + "[]");
        if (example is not JsonObject members || answer is not JsonObject there) return;
        foreach (var (name, member) in members)
        {
            there.ContainsKey(name).ShouldBeTrue($"{where}: the example has {name}, the answer is {there.ToJsonString()}");
            Members(member, there[name], $"{where}.{name}");
        }
    }

    private static HttpRequestMessage RequestOf(string path, string method, JsonObject operation)
    {
        var query = new StringBuilder();
        var headers = new List<(string, string)>();
        foreach (var parameter in (operation["parameters"] as JsonArray ?? []).Select(p => p!))
        {
            var (name, place) = ((string)parameter["name"]!, (string)parameter["in"]!);
            if (parameter["example"] is not { } example)
            {
                ((bool?)parameter["required"] ?? false).ShouldBeFalse($"{method} {path}: {name} has no example");
                continue;
            }
            var text = Uri.EscapeDataString(example.ToString());
            if (place == "path") path = path.Replace($"{{{name}}}", text);
            else if (place == "query") query.Append(query.Length == 0 ? '?' : '&').Append(name).Append('=').Append(text);
            else headers.Add((name, example.ToString()));
        }
        var request = new HttpRequestMessage(new HttpMethod(method.ToUpperInvariant()), path + query);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        if (operation["requestBody"]?["content"]?["application/json"]?["example"] is { } body) request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        return request;
    }

    private static async Task<(int Status, string Type, string Text)> UntilAsync(LiveNode live, HttpRequestMessage request, Predicate<(int Status, string Type, string Text)> isThere)
    {
        var body = request.Content is null ? null : await request.Content.ReadAsStringAsync();
        return await live.UntilAsync(
            () =>
            {
                var again = new HttpRequestMessage(request.Method, request.RequestUri);
                foreach (var (name, values) in request.Headers) again.Headers.TryAddWithoutValidation(name, values);
                if (body is not null) again.Content = new StringContent(body, Encoding.UTF8, "application/json");
                return SendAsync(live, again);
            }, a => isThere(a));
    }

    private static async Task<(int Status, string Type, string Text)> SendAsync(LiveNode live, HttpRequestMessage request)
    {
        using var answer = await live.Http.SendAsync(request);
        return ((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType ?? "", await answer.Content.ReadAsStringAsync());
    }

    /// <summary>JSON Schema, as far as the description uses it; a word that it does not know is a fault.</summary>
    private sealed class SchemaCheck(JsonNode document)
    {
        public void Check(JsonNode? value, JsonNode schema, string where)
        {
            var words = (JsonObject)schema;
            if ((string?)words["$ref"] is { } reference)
            {
                Check(value, document["components"]!["schemas"]![reference.Split('/')[^1]] ?? throw new InvalidOperationException(reference), where);
                return;
            }
            foreach (var (word, said) in words)
            {
                switch (word)
                {
                    case "description" or "format" or "properties" or "additionalProperties":
                        break;
                    case "type":
                        (said is JsonArray any ? any.Select(t => (string)t!) : [(string)said!]).ShouldContain(t => Is(value, t), $"{where}: {value?.ToJsonString()}");
                        break;
                    case "required":
                        foreach (var name in (JsonArray)said!) ((JsonObject)value!).ContainsKey((string)name!).ShouldBeTrue($"{where}: no {name} in {value.ToJsonString()}");
                        break;
                    case "items":
                        if (value is JsonArray array)
                            foreach (var element in array) Check(element, said!, where + "[]");
                        break;
                    case "enum":
                        ((JsonArray)said!).ShouldContain(e => JsonNode.DeepEquals(e, value), where);
                        break;
                    case "oneOf":
                        ((JsonArray)said!).Count(s => Fits(value, s!)).ShouldBe(1, $"{where}: {value?.ToJsonString()}");
                        break;
                    default:
                        throw new InvalidOperationException($"{where}: the test does not know '{word}'");
                }
            }
            if (value is not JsonObject members || words["properties"] is not JsonObject properties) return;
            foreach (var (name, member) in members)
                if (properties[name] is { } described) Check(member, described, $"{where}.{name}");
        }

        private bool Fits(JsonNode? value, JsonNode schema)
        {
            try
            {
                Check(value, schema, "");
                return true;
            }
            catch (ShouldAssertException)
            {
                return false;
            }
        }

        private static bool Is(JsonNode? value, string type) => type switch
        {
            "null" => value is null,
            "object" => value is JsonObject,
            "array" => value is JsonArray,
            "string" => value?.GetValueKind() == System.Text.Json.JsonValueKind.String,
            "boolean" => value?.GetValueKind() is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False,
            "number" => value?.GetValueKind() == System.Text.Json.JsonValueKind.Number,
            "integer" => value?.GetValueKind() == System.Text.Json.JsonValueKind.Number && !value.ToJsonString().Contains('.'),
            _ => throw new InvalidOperationException(type),
        };
    }
}
