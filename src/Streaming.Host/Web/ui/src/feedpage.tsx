import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api';
import { ArmPicker, otherThan, useChoices } from './arms';
import { Beside } from './beside';
import { Card } from './card';
import { titleNow, useItems } from './items';
import { useArrival } from './pages';
import { useUsable } from './usable';
import { useFeed, type Act } from './usefeed';

const userName = 'streaming-user';
const recentName = 'streaming-users';
const recentKept = 10;

const recentUsers = (): string[] => {
  try {
    return JSON.parse(localStorage.getItem(recentName) ?? '[]') as string[];
  } catch {
    return [];
  }
};

function remember(user: string) {
  localStorage.setItem(userName, user);
  localStorage.setItem(recentName, JSON.stringify([user, ...recentUsers().filter((u) => u !== user)].slice(0, recentKept)));
}

/** Be a user: see their list, act, and see the list that has seen it. */
export function FeedPage() {
  const asked = new URLSearchParams(location.search);
  const [user, setUser] = useState(asked.get('user') ?? localStorage.getItem(userName) ?? `guest-${api.randomId(3)}`);
  const [surface, setSurface] = useState(asked.get('surface') ?? '');
  const [arm, setArm] = useState(asked.get('arm') ?? '');
  const [beside, setBeside] = useState(asked.get('beside'));
  const choices = useChoices(user, surface);
  const { shown, reasons, said, problem, busy, done, look, more, act } = useFeed(user, surface, arm);
  const heading = useRef<HTMLHeadingElement>(null);
  const { box, arrive } = useArrival<HTMLOListElement>();
  const feed = shown?.feed;
  // Until somebody chooses, an arm that differs from the first list's; while that is on its way, what was there.
  const second = useRef<string | null>(null);
  if (beside) second.current = beside;
  else if (choices !== undefined && (feed || problem)) second.current = feed && choices?.length ? otherThan(feed.arm, choices) : 'popular';
  const items = useItems([...(feed?.items ?? []).map((e) => e.item), ...[...(reasons?.values() ?? [])].flatMap((r) => r.because?.item ?? [])]);
  useEffect(() => remember(user), [user]);
  useUsable(!!feed);

  const actOn = async (type: Act, entry: api.Entry, place: number) => {
    const hadFocus = document.activeElement?.closest('.card')?.getAttribute('data-item') === entry.item;
    const next = await act(type, entry, place);
    // The card may have left with the focus on it; the list's heading is the next sensible place.
    if (hadFocus && next && !next.items.some((e) => e.item === entry.item)) heading.current?.focus();
  };

  const showMore = async () => {
    const had = feed?.items.length ?? 0;
    if (!busy && (await more())) arrive(`.card:nth-child(${had + 1})`);
  };

  return (
    <>
      <Who user={user} surface={surface} onPick={(u, s) => { setUser(u); setSurface(s); }} />
      <p class="said" role="status" aria-live="polite" id="said">{said}</p>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <div class="columns">
        <section aria-labelledby="yours" aria-busy={busy}>
          <div class="heading">
            <h2 id="yours" tabIndex={-1} ref={heading}>{user}'s list</h2>
            {arm || choices === null || choices?.length ? <ArmPicker value={arm} first={{ value: '', label: 'of their own arm' }} choices={choices ?? []} onPick={setArm} /> : null}
            <button type="button" class="quiet" onClick={() => void look(feed ?? null)}>Look again</button>
          </div>
          <p class="facts">{feed ? factsOf(feed) : problem ? 'There is no list to show; look again in a moment.' : 'Loading.'}</p>
          {feed ? (
            <ol class="list" data-version={feed.list_version} ref={box}>
              {feed.items.map((entry, place) => (
                <Card
                  key={entry.item} entry={entry} place={place} item={items.get(entry.item)} change={shown.changes.of.get(entry.item)} explained={reasons && reasons.get(entry.item)}
                  explain={feed.source === 'own' ? () => api.explainItem(user, entry.item, surface, arm) : undefined} act={(type) => void actOn(type, entry, place)}
                />
              ))}
            </ol>
          ) : null}
          {feed && feed.items.length < feed.total ? <p class="buttons"><button type="button" class="quiet" aria-disabled={busy} onClick={() => void showMore()}>Show more</button></p> : null}
          {shown?.changes.gone.length ? <p class="facts">Left the list: {shown.changes.gone.map(titleNow).join(', ')}.</p> : null}
        </section>
        <Beside
          user={user} surface={surface} mine={feed?.items ?? []} version={feed?.list_version ?? 0}
          arm={second.current} choices={choices ?? []} onPick={setBeside}
        />
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

function factsOf(feed: api.Feed): string {
  if (feed.source === 'own') return `Arm ${feed.arm}, list ${feed.list_version}, made by ${feed.models}.`;
  return feed.source === 'segment' ? `No list of their own yet: this is what is popular. Arm ${feed.arm}.` : 'There is nothing to show yet: send items and events first.';
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
