/** An entry of a list. */
export interface Entry {
  item: string;
  score: number;
  channel: string;
  team?: string;
}

/** What `GET /v1/feed/{user}` answers. */
export interface Feed {
  request_id: string;
  user: string;
  arm: string;
  source: 'own' | 'segment' | 'empty';
  list_version: number;
  age_ms: number;
  models: string;
  total: number;
  items: Entry[];
}

/** What an entry would be without the user's actions on an item. */
export interface Omission {
  item: string | null;
  action: string;
  time_ms: number;
  rank_without: number;
  score_without: number;
  drop: number;
  channel_without: string | null;
}

/** Why an item is in a list. */
export interface Explained {
  item: string;
  score: number;
  channel: string;
  channel_now: string | null;
  rank_now: number | null;
  score_now: number | null;
  because: Omission | null;
  events: Omission[];
}

/** An item as the catalogue has it. */
export interface Item {
  id: string;
  tags: string[];
  categories: string[];
  author: string | null;
  attributes: Record<string, unknown>;
  stub: boolean;
}

/** A refusal: the problem document's type (without its prefix) and its sentence. */
export class Problem extends Error {
  constructor(readonly status: number, readonly type: string, detail: string) {
    super(detail);
  }
}

const keyName = 'streaming-key';

/** Asks the person for a key; the dialog sets it. Null where they would rather not. */
let askForKey: (why: string) => Promise<string | null> = () => Promise.resolve(null);
let asking: Promise<string | null> | null = null;

export function onKeyAsked(ask: (why: string) => Promise<string | null>) {
  askForKey = ask;
}

/** Keys live as long as the tab: never in a URL, never on the disk. */
async function newKey(why: string): Promise<boolean> {
  asking ??= askForKey(why).finally(() => (asking = null));
  const key = await asking;
  if (key) sessionStorage.setItem(keyName, key);
  return !!key;
}

/** One request, with the tab's key where there is one; asks for a key on 401 and tries again. */
export async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  for (;;) {
    const key = sessionStorage.getItem(keyName);
    const response = await fetch(path, {
      method,
      signal,
      cache: 'no-store',
      headers: { ...headers, ...(key ? { Authorization: `Bearer ${key}` } : {}), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    // Another request may have been told a key meanwhile.
    if (response.status === 401 && (sessionStorage.getItem(keyName) !== key || (await newKey(key ? 'The node does not know this key.' : 'The node asks for an API key.')))) continue;
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const said = (await response.json()) as { type?: string; detail?: string; title?: string };
    return new Problem(response.status, (said.type ?? '').replace('urn:streaming:', ''), said.detail ?? said.title ?? `status ${response.status}`);
  } catch {
    return new Problem(response.status, '', `the node answered with status ${response.status}`);
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await send('GET', path, undefined, {}, signal)).json()) as T;
}

const id = encodeURIComponent;

export interface FeedQuery {
  surface: string;
  limit: number;
  after?: string;
  arm?: string;
}

export function feed(user: string, query: FeedQuery): Promise<Feed> {
  const search = new URLSearchParams({ surface: query.surface, limit: String(query.limit) });
  if (query.after) {
    search.set('after', query.after);
    search.set('wait_ms', '2000');
  }
  if (query.arm) search.set('arm', query.arm);
  return get(`/v1/feed/${id(user)}?${search}`);
}

export function popular(surface: string, limit: number): Promise<{ items: Entry[] }> {
  return get(`/v1/popular?${new URLSearchParams({ surface, limit: String(limit) })}`);
}

/** As many reasons as the node gives in one answer. */
export const explainedMax = 50;

/** @param arm Whose list; empty for the user's own. */
export async function explainList(user: string, surface: string, limit: number, arm: string): Promise<Explained[]> {
  return (await get<{ items: Explained[] }>(`/v1/explain/${id(user)}?${new URLSearchParams({ surface, limit: String(limit), ...(arm && { arm }) })}`)).items;
}

export async function explainItem(user: string, item: string, surface: string, arm: string): Promise<Explained> {
  return (await get<{ item: Explained }>(`/v1/explain/${id(user)}/${id(item)}?${new URLSearchParams({ surface, ...(arm && { arm }) })}`)).item;
}

export function item(of: string): Promise<Item> {
  return get(`/v1/items/${id(of)}`);
}

/** Posts one event; its position in the log, for `after`. */
export async function post(event: Record<string, unknown>): Promise<string> {
  const answer = (await (await send('POST', '/v1/events', event)).json()) as { results: { position: string }[] };
  return answer.results[0].position;
}

/** An id that nobody else has. `crypto.randomUUID` exists on secure pages only. */
export function randomId(bytes = 8): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

export const messageOf = (problem: unknown) => (problem instanceof Error ? problem.message : String(problem));
