import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api';
import { compare, summary, type Changes } from './changes';
import { titleNow } from './items';
import { actionWord } from './words';

export type Act = 'click' | 'like' | 'hide';

interface Shown {
  feed: api.Feed;
  changes: Changes;
}

const pageLength = 20;
const doneKept = 10;

/** Requests of two seconds each that an event is waited for. */
const triesMax = 5;

/** Looks, a second apart, for what is about to come: the list of an arm that was chosen is built when it is asked for, and a node that has just started has nothing yet. */
const laterTriesMax = 30;

const pastOf = (type: Act) => (type === 'hide' ? 'hid' : actionWord(type));

/** What is on the screen has been seen; a list that is not the user's own has no place to tell it for. */
function tellSeen(feed: api.Feed, user: string, surface: string) {
  if (feed.source !== 'own' || !feed.items.length) return;
  api.post({ type: 'impression', user, surface, request_id: feed.request_id, items: feed.items.map((e) => e.item) }).catch(() => {});
}

/** The list that has seen an event; a busy node may need longer than one request waits. */
async function seen(user: string, query: api.FeedQuery): Promise<api.Feed> {
  for (let tries = triesMax; ; tries--) {
    try {
      return await api.feed(user, query);
    } catch (refused) {
      if (tries === 1 || !(refused instanceof api.Problem) || refused.type !== 'not-yet') throw refused;
    }
  }
}

/** A user's list on a surface, of their own arm or (`arm`) of another: loads it, acts on it, and keeps what has changed, why entries are there, and what was done. */
export function useFeed(user: string, surface: string, arm: string) {
  const [shown, setShown] = useState<Shown | null>(null);
  const [reasons, setReasons] = useState<Map<string, api.Explained> | null>(null);
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<{ text: string; at: number }[]>([]);
  // An answer that comes when something else has been asked since is nobody's.
  const turn = useRef(0);
  const length = useRef(pageLength);

  /** Asks for a list, shows it beside the one before, and then for the reasons: nobody waits for those. */
  const ask = async (before: api.Feed | null, find: () => Promise<api.Feed>, say: (changes: string) => string): Promise<api.Feed | null> => {
    const mine = ++turn.current;
    setProblem('');
    setBusy(true);
    try {
      const feed = await find();
      if (turn.current !== mine) return null;
      const changes = compare(before && before.items, feed.items);
      setShown({ feed, changes });
      setSaid(before ? say(summary(changes)) : '');
      tellSeen(feed, user, surface);
      if (feed.source !== 'own') setReasons(null);
      else setReasons((known) => known ?? new Map());
      if (feed.source === 'own' && feed.items.length)
        api.explainList(user, surface, Math.min(feed.items.length, api.explainedMax), arm).then((found) => turn.current === mine && setReasons(new Map(found.map((e) => [e.item, e]))), () => {});
      return feed;
    } catch (refused) {
      if (turn.current === mine) setProblem(api.messageOf(refused));
      return null;
    } finally {
      if (turn.current === mine) setBusy(false);
    }
  };

  const look = async (before: api.Feed | null, tries = laterTriesMax) => {
    const feed = await ask(before, () => api.feed(user, { surface, limit: length.current, arm }), (changes) => `Looked again: ${changes}.`);
    const mine = turn.current;
    if (feed && (feed.source === 'empty' || (arm && feed.source !== 'own')) && tries > 0) setTimeout(() => turn.current === mine && void look(before, tries - 1), 1000);
  };

  /** The list with a page more; what comes behind those that were there is no change of theirs. */
  const more = async () => {
    const before = shown?.feed;
    if (!before) return null;
    length.current = before.items.length + pageLength;
    const feed = await ask(before, () => api.feed(user, { surface, limit: length.current, arm }), () => '');
    if (!feed) return null;
    const changes = compare(before.items, feed.items.slice(0, before.items.length));
    setShown({ feed, changes });
    setSaid(`${feed.items.length} of ${feed.total} are shown.`);
    return feed;
  };

  /** Posts an event, and asks for the list that has seen it. */
  const act = async (type: Act, entry: api.Entry, place: number) => {
    const before = shown?.feed;
    if (!before) return null;
    const started = performance.now();
    const find = async () => {
      const after = await api.post({ type, user, item: entry.item, surface, request_id: before.request_id, position: place, event_id: `ui-${api.randomId()}` });
      setDone((all) => [{ text: `${pastOf(type)} ${titleNow(entry.item)}`, at: Date.now() }, ...all].slice(0, doneKept));
      return seen(user, { surface, limit: length.current, after, arm });
    };
    return ask(before, find, (changes) => `${Math.round(performance.now() - started)} ms after you ${pastOf(type)} ${titleNow(entry.item)}: ${changes}.`);
  };

  useEffect(() => {
    length.current = pageLength;
    setShown(null);
    setReasons(null);
    void look(null);
  }, [user, surface, arm]);
  useEffect(() => setDone([]), [user, surface]);

  return { shown, reasons, said, problem, busy, done, look, more, act };
}
