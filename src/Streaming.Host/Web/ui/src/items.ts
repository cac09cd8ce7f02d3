import { useEffect, useState } from 'preact/hooks';
import { item, type Item } from './api';
import { titleOf } from './words';

const known = new Map<string, Item>();
const asked = new Set<string>();
const watchers = new Set<() => void>();

/** An item's title as far as it is known by now, else its id. */
export const titleNow = (id: string) => titleOf(known.get(id), id);

/** What the catalogue says of these items, as it comes, shared by all lists of the page; lists show without. */
export function useItems(ids: string[]): Map<string, Item> {
  const [, draw] = useState(0);
  useEffect(() => {
    const watcher = () => draw((count) => count + 1);
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  }, []);
  useEffect(() => {
    for (const id of ids) {
      if (asked.has(id)) continue;
      asked.add(id);
      item(id).then(
        (found) => {
          known.set(id, found);
          watchers.forEach((watcher) => watcher());
        },
        () => asked.delete(id),
      );
    }
  }, [ids.join('\n')]);
  return known;
}
