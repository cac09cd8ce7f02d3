using Streaming.Host.Tests.Fixtures;

namespace Streaming.Host.Tests.Web;

/// <summary>The client for scripts where it is meant to run, in a browser.</summary>
[Collection(BrowserCollection.Name)]
public sealed class ScriptClientTests(Browser browser)
{
    [BrowserFact]
    public async Task A_batch_beyond_what_may_outlive_its_page_is_sent_and_so_are_many_at_once()
    {
        await using var live = await LiveNode.StartAsync();
        var client = await File.ReadAllTextAsync(Path.Combine(ReadmeTests.Root(), "src", "Streaming.Client", "typescript", "dist", "index.js"));
        // An answer of the API: of the node's own origin, and without the pages' content policy, which lets no script in.
        await using var watched = await browser.OpenAsync(new Uri(live.Address, "/healthz"));
        var accepted = await watched.Page.EvaluateAsync<string>(
            """
            async (source) => {
                const { StreamingClient } = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
                const client = new StreamingClient(location.origin);
                const events = (count) => Array.from({ length: count }, (_, i) => ({ type: 'click', user: `ann-${i}`, item: `é-${i}`.padEnd(60, 'é') }));
                const items = Array.from({ length: 1000 }, (_, i) => ({ id: `item-${i}`, tags: ['a tag that is rather long, so that all of them make a large body'] }));
                const counts = async (...calls) => (await Promise.all(calls)).map((result) => result.accepted);
                return JSON.stringify({
                    large: await counts(client.sendEvents(events(600))),
                    items: await counts(client.putItems(items)),
                    together: await counts(...Array.from({ length: 8 }, () => client.sendEvents(events(100)))),
                });
            }
            """, client);
        accepted.ShouldBe("""{"large":[600],"items":[1000],"together":[100,100,100,100,100,100,100,100]}""");
        // The browser looks for a picture of its own accord.
        watched.Complaints.ShouldAllBe(c => c.Contains("favicon"));
    }
}
