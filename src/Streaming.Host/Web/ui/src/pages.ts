import { useEffect, useRef, useState } from 'preact/hooks';
import { get, messageOf } from './api';
import { usePolled } from './polled';

interface Kept<T> {
  entries: T[];
  next: string | null;
}

/** The newest page before what was kept; null where more has come than a page, so that what lies between is not known. */
function joined<T>(kept: Kept<T>, page: T[], isWhole: boolean, keyOf: (entry: T) => number): Kept<T> | null {
  const newest = kept.entries.length ? keyOf(kept.entries[0]) : -1;
  if (!isWhole && page.length && keyOf(page.at(-1)!) > newest) return null;
  const now = new Map(page.map((entry) => [keyOf(entry), entry]));
  return { entries: [...page.filter((entry) => keyOf(entry) > newest), ...kept.entries.map((entry) => now.get(keyOf(entry)) ?? entry)], next: kept.next };
}

/**
 * A list that grows at its head, newest first: its first page asked for again and again, and the pages behind it as `older` is called.
 * What `older` brought stays, whatever comes at the head meanwhile.
 */
export function usePages<A extends { next: string | null }, T>(path: string, everyMs: number, version: unknown, entriesOf: (answer: A) => T[], keyOf: (entry: T) => number) {
  const { answer, problem, again } = usePolled<A>(path, everyMs, version);
  const [refused, setRefused] = useState('');
  const [busy, setBusy] = useState(false);
  const kept = useRef<Kept<T> | null>(null);
  const seen = useRef<A | null>(null);
  if (answer && kept.current && seen.current !== answer) kept.current = joined(kept.current, entriesOf(answer), answer.next === null, keyOf);
  seen.current = answer;
  const now = kept.current ?? { entries: answer ? entriesOf(answer) : [], next: answer?.next ?? null };

  /** Loads the page behind the last one; what it held, or null where that was refused. */
  const older = async (): Promise<T[] | null> => {
    if (!now.next || busy) return null;
    setBusy(true);
    setRefused('');
    try {
      const found = await get<A>(`${path}&before=${now.next}`);
      // The head may have moved on meanwhile: the next drawing joins it.
      kept.current = { entries: [...now.entries, ...entriesOf(found)], next: found.next };
      seen.current = null;
      return entriesOf(found);
    } catch (no) {
      setRefused(messageOf(no));
      return null;
    } finally {
      setBusy(false);
    }
  };
  return { answer, problem: refused || problem, again, entries: now.entries, next: now.next, busy, older };
}

/** Moves the focus to an element that the next drawing brings, so that whoever asked for more goes on reading there. */
export function useArrival<E extends HTMLElement>() {
  const box = useRef<E>(null);
  const wanted = useRef('');
  useEffect(() => {
    if (!wanted.current) return;
    box.current?.querySelector<HTMLElement>(wanted.current)?.focus();
    wanted.current = '';
  });
  return { box, arrive: (selector: string) => void (wanted.current = selector) };
}
