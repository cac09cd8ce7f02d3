import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api';
import { Beside } from './beside';
import { Card } from './card';
import { compare, summary, type Changes } from './changes';
import { useItems } from './items';
import { actionWord, titleOf } from './words';

const userName = 'streaming-user';
const recentName = 'streaming-users';
const listLength = 20;

const recentUsers = (): string[] => {
  try {
    return JSON.parse(localStorage.getItem(recentName) ?? '[]') as string[];
  } catch {
    return [];
  }
};

function remember(user: string) {
  localStorage.setItem(userName, user);
  localStorage.setItem(recentName, JSON.stringify([user, ...recentUsers().filter((u) => u !== user)].slice(0, 10)));
}

interface Shown {
  feed: api.Feed;
  changes: Changes;
}

const unchanged = compare(null, []);

/** Be a user: see their list, act, and see the list that has seen it. */
export function FeedPage() {
  const asked = new URLSearchParams(location.search);
  const [user, setUser] = useState(asked.get('user') ?? localStorage.getItem(userName) ?? `guest-${api.randomId(3)}`);
  const [surface, setSurface] = useState(asked.get('surface') ?? '');
  const [shown, setShown] = useState<Shown | null>(null);
  const [reasons, setReasons] = useState(new Map<string, api.Explained>());
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<{ text: string; at: number }[]>([]);
  const heading = useRef<HTMLHeadingElement>(null);
  const turn = useRef(0);
  const items = useItems(shown?.feed.items);
  const title = useCallback((id: string) => titleOf(items.get(id), id), [items]);

  /** Shows a list, and afterwards the reasons: nobody waits for them. */
  const show = async (feed: api.Feed, before: api.Feed | null, mine: number) => {
    const changes = before ? compare(before.items, feed.items) : unchanged;
    setShown({ feed, changes });
    // What is on the screen has been seen; without a request id of an own list there is no place to tell it for.
    if (feed.source === 'own' && feed.items.length && feed.request_id !== before?.request_id)
      void api.post({ type: 'impression', user, surface, request_id: feed.request_id, items: feed.items.map((e) => e.item) }).catch(() => {});
    if (feed.source === 'own' && feed.items.length) {
      try {
        const found = await api.explainList(user, surface, listLength);
        if (turn.current === mine) setReasons(new Map(found.map((e) => [e.item, e])));
      } catch {
        // The channel says it then.
      }
    }
    return changes;
  };

  const load = async (before: api.Feed | null) => {
    const mine = ++turn.current;
    setProblem('');
    setBusy(true);
    try {
      const feed = await api.feed(user, { surface, limit: listLength });
      if (turn.current !== mine) return;
      const changes = show(feed, before, mine);
      setBusy(false);
      if (before) setSaid(`Looked again: ${summary(compare(before.items, feed.items))}.`);
      await changes;
    } catch (refused) {
      if (turn.current === mine) setProblem(api.messageOf(refused));
    } finally {
      if (turn.current === mine) setBusy(false);
    }
  };

  useEffect(() => {
    remember(user);
    setShown(null);
    setReasons(new Map());
    setSaid('');
    setDone([]);
    void load(null);
  }, [user, surface]);

  /** Posts an event, and asks for the list that has seen it. */
  const act = async (type: 'click' | 'like' | 'hide', entry: api.Entry, place: number) => {
    if (!shown) return;
    const mine = ++turn.current;
    const before = shown.feed;
    const started = performance.now();
    setProblem('');
    setBusy(true);
    try {
      const after = await api.post({ type, user, item: entry.item, surface, request_id: before.request_id, position: place, event_id: `ui-${api.randomId()}` });
      setDone((all) => [{ text: `${type === 'hide' ? 'hid' : actionWord(type)} ${title(entry.item)}`, at: Date.now() }, ...all].slice(0, 10));
      const feed = await api.feed(user, { surface, limit: listLength, after });
      const ms = Math.round(performance.now() - started);
      if (turn.current !== mine) return;
      const hadFocus = document.activeElement?.closest('.card') != null;
      const changes = show(feed, before, mine);
      setBusy(false);
      setSaid(`${ms} ms after you ${type === 'hide' ? 'hid' : actionWord(type)} ${title(entry.item)}: ${summary(compare(before.items, feed.items))}.`);
      // The card may have left with the focus on it; the list's heading is the next sensible place.
      if (hadFocus && !feed.items.some((e) => e.item === entry.item)) heading.current?.focus();
      await changes;
    } catch (refused) {
      if (turn.current !== mine) return;
      setProblem(refused instanceof api.Problem && refused.type === 'not-yet' ? 'No list has seen that within two seconds; look again.' : api.messageOf(refused));
    } finally {
      if (turn.current === mine) setBusy(false);
    }
  };

  const feed = shown?.feed;
  return (
    <>
      <Who user={user} surface={surface} onPick={(u, s) => { setUser(u); setSurface(s); }} />
      <p class="said" role="status" aria-live="polite" id="said">{said}</p>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <div class="columns">
        <section aria-labelledby="yours" aria-busy={busy}>
          <div class="heading">
            <h2 id="yours" tabIndex={-1} ref={heading}>{user}'s list</h2>
            <button type="button" class="quiet" onClick={() => void load(feed ?? null)}>Look again</button>
          </div>
          {feed ? (
            <p class="facts">
              {feed.source === 'own' ? `Arm ${feed.arm}, list ${feed.list_version}, made by ${feed.models}.`
                : feed.source === 'segment' ? `No list of their own yet: this is what is popular. Arm ${feed.arm}.` : 'There is nothing to show yet: send items and events first.'}
            </p>
          ) : null}
          {feed ? (
            <ol class="list" data-version={feed.list_version}>
              {feed.items.map((entry, place) => (
                <Card
                  key={entry.item} entry={entry} place={place} item={items.get(entry.item)} change={shown.changes.of.get(entry.item)} explained={reasons.get(entry.item)}
                  title={title} explain={feed.source === 'own' ? () => api.explainItem(user, entry.item, surface) : undefined} act={(type) => void act(type, entry, place)}
                />
              ))}
            </ol>
          ) : null}
          {shown?.changes.gone.length ? <p class="facts">Left the list: {shown.changes.gone.map(title).join(', ')}.</p> : null}
        </section>
        <Beside user={user} surface={surface} mine={feed?.items ?? []} version={feed?.list_version ?? 0} />
      </div>
      {done.length ? (
        <section aria-labelledby="done">
          <h2 id="done">What you did</h2>
          <ul class="done">{done.map((d) => <li key={`${d.at}${d.text}`}>You {d.text}.</li>)}</ul>
        </section>
      ) : null}
    </>
  );
}

/** Picks a user; any string is one. */
function Who(props: { user: string; surface: string; onPick: (user: string, surface: string) => void }) {
  const [user, setUser] = useState(props.user);
  const [surface, setSurface] = useState(props.surface);
  useEffect(() => setUser(props.user), [props.user]);
  return (
    <form
      class="who" aria-label="Who you are"
      onSubmit={(e) => {
        e.preventDefault();
        if (user.trim()) props.onPick(user.trim(), surface.trim());
      }}
    >
      <label>
        User
        <input list="users" value={user} required maxLength={1024} autocomplete="off" onInput={(e) => setUser(e.currentTarget.value)} />
      </label>
      <datalist id="users">{recentUsers().map((u) => <option key={u} value={u} />)}</datalist>
      <label>
        Surface
        <input value={surface} placeholder="default" autocomplete="off" onInput={(e) => setSurface(e.currentTarget.value)} />
      </label>
      <button>Be this user</button>
      <button type="button" class="quiet" onClick={() => props.onPick(`guest-${api.randomId(3)}`, surface.trim())}>Somebody new</button>
    </form>
  );
}
