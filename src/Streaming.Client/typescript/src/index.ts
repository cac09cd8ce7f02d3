import type { components, paths } from "./schema.js";

/** Types of the API's description. */
export type Schemas = components["schemas"];

/** What may be asked of a list. */
export type FeedQuery = NonNullable<paths["/v1/feed/{user}"]["get"]["parameters"]["query"]>;
export type PopularQuery = NonNullable<paths["/v1/popular"]["get"]["parameters"]["query"]>;
export type ExplainQuery = NonNullable<paths["/v1/explain/{user}"]["get"]["parameters"]["query"]>;
export type SimilarQuery = NonNullable<paths["/v1/items/{id}/similar"]["get"]["parameters"]["query"]>;
export type DeadLettersQuery = NonNullable<paths["/v1/dead-letters"]["get"]["parameters"]["query"]>;
export type OperationsQuery = NonNullable<paths["/v1/operations"]["get"]["parameters"]["query"]>;
export type AuditQuery = NonNullable<paths["/v1/experiments/audit"]["get"]["parameters"]["query"]>;

/** The node refused: a problem document (RFC 9457). */
export class StreamingError extends Error {
  /** @param retryAfter Seconds after which to ask again, where the node says so. */
  constructor(readonly status: number, readonly type: string, detail: string, readonly retryAfter?: number) {
    super(`${status} ${type}: ${detail}`);
  }

  /** No list has seen the event that was asked for yet. */
  get isNotYet(): boolean {
    return this.type === "not-yet";
  }
}

/**
 * Every page of a list, one after another, as `for await (const page of pages((q) => client.deadLetters(q)))`.
 * @param ask Asks for one page.
 * @param query Of the first page.
 */
export async function* pages<Query extends { before?: string } | { offset?: number }, Page extends { next: string | number | null }>(ask: (query: Query) => Promise<Page>, query = {} as Query): AsyncGenerator<Page> {
  for (;;) {
    const page = await ask(query);
    yield page;
    if (page.next === null) return;
    // A list that grows is paged by where a page ended, a ranked one by how many entries there were.
    query = { ...query, [typeof page.next === "string" ? "before" : "offset"]: page.next };
  }
}

/** Browsers refuse a request that outlives its page where the bodies of all such requests on their way come to more than 64 KiB; some room is left to what else the page sends. */
const keepaliveBytesMax = 60_000;

/** Bytes of bodies on their way, by any client of this page, that outlive it. */
let keptAlive = 0;

export interface StreamingOptions {
  /** Sent with every request, where the node asks for one. */
  apiKey?: string;
}

/** The HTTP API of a node. */
export class StreamingClient {
  private readonly base: string;

  /** @param address Of the node, as "https://streaming.example". */
  constructor(address: string, private readonly options: StreamingOptions = {}) {
    this.base = address.replace(/\/+$/, "");
  }

  /** Answered once the events are durable. Sent again under its key, a batch changes nothing. */
  sendEvents(events: Schemas["Event"][], idempotencyKey: string = crypto.randomUUID()): Promise<Schemas["IngestResult"]> {
    return this.call("POST", "/v1/events", { body: events, headers: { "Idempotency-Key": idempotencyKey } });
  }

  /** Inserts or replaces items. */
  putItems(items: Schemas["ItemInput"][]): Promise<Schemas["IngestResult"]> {
    return this.call("POST", "/v1/items", { body: items });
  }

  /** The item is in no answer from now on. */
  deleteItem(id: string): Promise<Schemas["IngestResult"]> {
    return this.call("DELETE", `/v1/items/${encodeURIComponent(id)}`);
  }

  /** Inserts or replaces a user's profile. */
  putUser(user: string, profile: Schemas["Profile"]): Promise<Schemas["IngestResult"]> {
    return this.call("PUT", `/v1/users/${encodeURIComponent(user)}`, { body: profile });
  }

  /** A page of the user's list. */
  feed(user: string, query: FeedQuery = {}): Promise<Schemas["Feed"]> {
    return this.call("GET", `/v1/feed/${encodeURIComponent(user)}`, { query });
  }

  /** A page of the popular list. */
  popular(query: PopularQuery = {}): Promise<Schemas["Popular"]> {
    return this.call("GET", "/v1/popular", { query });
  }

  /** A page of the items that the same users act on. */
  similar(item: string, query: SimilarQuery = {}): Promise<Schemas["Similar"]> {
    return this.call("GET", `/v1/items/${encodeURIComponent(item)}/similar`, { query });
  }

  /** A page of the newest records that could not be used. Needs an operator's key. */
  deadLetters(query: DeadLettersQuery = {}): Promise<Schemas["DeadLetters"]> {
    return this.call("GET", "/v1/dead-letters", { query });
  }

  /** A page of the changes of the experiments, newest first. Needs an operator's key. */
  audit(query: AuditQuery = {}): Promise<Schemas["Audit"]> {
    return this.call("GET", "/v1/experiments/audit", { query });
  }

  /** A page of what operators did to nodes, newest first. Needs an operator's key. */
  operations(query: OperationsQuery = {}): Promise<Schemas["Operations"]> {
    return this.call("GET", "/v1/operations", { query });
  }

  /** Why the first items of the user's list are in it. */
  explain(user: string, query: ExplainQuery = {}): Promise<Schemas["Explanation"]> {
    return this.call("GET", `/v1/explain/${encodeURIComponent(user)}`, { query });
  }

  private async call<T>(method: string, path: string, { body, query, headers }: { body?: unknown; query?: object; headers?: Record<string, string> } = {}): Promise<T> {
    const asked = new URLSearchParams(Object.entries(query ?? {}).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]));
    const payload = body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body));
    const bytes = payload?.byteLength ?? 0;
    // A click's request outlives the page that the click leaves; a large batch cannot, and is sent all the same.
    const keepalive = method === "POST" && keptAlive + bytes <= keepaliveBytesMax;
    if (keepalive) keptAlive += bytes;
    try {
      const answer = await fetch(`${this.base}${path}${asked.size > 0 ? `?${asked}` : ""}`, {
        method,
        keepalive,
        headers: { ...headers, ...(this.options.apiKey && { "X-Api-Key": this.options.apiKey }), ...(body !== undefined && { "Content-Type": "application/json" }) },
        body: payload,
      });
      if (answer.ok) return (await answer.json()) as T;
      throw await refusal(answer);
    } finally {
      if (keepalive) keptAlive -= bytes;
    }
  }
}

async function refusal(answer: Response): Promise<StreamingError> {
  const text = await answer.text();
  let problem: Partial<Schemas["Problem"]> = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // Something before the node answered, in words of its own.
  }
  const retryAfter = Number(answer.headers.get("Retry-After") ?? NaN);
  return new StreamingError(answer.status, (problem.type ?? "").replace(/^urn:streaming:/, ""), problem.detail ?? text, Number.isNaN(retryAfter) ? undefined : retryAfter);
}
