import type { Entry } from './api';

/** What became of an entry since the list before: it is new, or it has moved by so many places (up is positive). */
export type Change = 'new' | number;

export interface Changes {
  of: Map<string, Change>;
  gone: string[];
  added: number;
  up: number;
  down: number;
}

/** Compares two lists of one user. Without a list before, nothing has changed. */
export function compare(before: Entry[] | null, now: Entry[]): Changes {
  const changes: Changes = { of: new Map(), gone: [], added: 0, up: 0, down: 0 };
  if (!before) return changes;
  const places = new Map(before.map((entry, place) => [entry.item, place]));
  now.forEach((entry, place) => {
    const was = places.get(entry.item);
    if (was === undefined) {
      changes.added++;
      changes.of.set(entry.item, 'new');
    } else if (was !== place) {
      if (was > place) changes.up++;
      else changes.down++;
      changes.of.set(entry.item, was - place);
    }
  });
  const there = new Set(now.map((entry) => entry.item));
  changes.gone = before.filter((entry) => !there.has(entry.item)).map((entry) => entry.item);
  return changes;
}

/** "2 new, 3 up, 1 down, 1 gone", or "the same". */
export function summary(changes: Changes): string {
  const parts = [
    [changes.added, 'new'], [changes.up, 'up'], [changes.down, 'down'], [changes.gone.length, 'gone'],
  ].filter(([count]) => count).map(([count, word]) => `${count} ${word}`);
  return parts.length ? parts.join(', ') : 'the same items in the same order';
}
