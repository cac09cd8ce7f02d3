import { useEffect, useState } from 'preact/hooks';
import { item, type Entry, type Item } from './api';

const known = new Map<string, Item>();
const asked = new Set<string>();
const watchers = new Set<() => void>();

/** What the catalogue says of a list's items, as it comes, shared by all lists of the page; lists show without. */
export function useItems(entries: Entry[] | undefined): Map<string, Item> {
  const [, draw] = useState(0);
  useEffect(() => {
    const watcher = () => draw((count) => count + 1);
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  }, []);
  useEffect(() => {
    for (const { item: id } of entries ?? []) {
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
  }, [entries]);
  return known;
}
