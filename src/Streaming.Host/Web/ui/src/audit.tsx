import { useState } from 'preact/hooks';
import { useArrival, usePages } from './pages';

interface Entry {
  offset: number;
  changed_ms: number;
  changed_by: string;
  why: string;
  changes: string[];
  in_force: boolean;
}

interface Page {
  entries: Entry[];
  next: string | null;
}

interface Operation {
  offset: number;
  at_ms: number;
  node: string;
  who: string;
  why: string;
  what: string;
}

interface Operations {
  operations: Operation[];
  next: string | null;
}

/** A line of either topic. */
interface Line {
  key: string;
  at_ms: number;
  who: string;
  why: string;
  what: string;
  node: string;
}

const shownAtOnce = 12;

/** Who did what, when and why: to experiments, models and weights by their topic of the log, to nodes by theirs, as one list by time. */
export function Audit({ steps }: { steps: number }) {
  const changes = usePages<Page, Entry>(`/v1/experiments/audit?limit=${shownAtOnce}`, 15_000, steps, (page) => page.entries, (entry) => entry.offset);
  const operations = usePages<Operations, Operation>(`/v1/operations?limit=${shownAtOnce}`, 15_000, steps, (page) => page.operations, (operation) => operation.offset);
  const [shown, setShown] = useState(shownAtOnce);
  const { box, arrive } = useArrival<HTMLUListElement>();
  const problem = changes.problem || operations.problem;
  const isHere = changes.answer && operations.answer;
  // Behind the last page that is here of one topic there may be lines that come before the rest of the other's.
  const from = Math.max(changes.next ? changes.entries.at(-1)!.changed_ms : 0, operations.next ? operations.entries.at(-1)!.at_ms : 0);
  const lines = isHere
    ? [
        ...operations.entries.map((o): Line => ({ ...o, key: `operation ${o.offset}` })),
        ...changes.entries.filter((e) => e.in_force).map((e): Line => ({ key: `change ${e.offset}`, at_ms: e.changed_ms, who: e.changed_by, why: e.why, what: e.changes.join('; '), node: '' })),
      ].filter((line) => line.at_ms >= from).sort((a, b) => b.at_ms - a.at_ms)
    : [];
  const visible = lines.slice(0, shown);
  const more = async () => {
    setShown(shown + shownAtOnce);
    if (lines.length < shown + shownAtOnce && !(await Promise.all([changes.older(), operations.older()])).some(Boolean) && lines.length <= shown) return;
    arrive(`li:nth-child(${visible.length + 1})`);
  };
  return (
    <section class="panel" aria-labelledby="audit">
      <h2 id="audit">Audit</h2>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <p role="status" class="facts">{shown > shownAtOnce ? `${visible.length} steps are shown.` : ''}</p>
      {visible.length ? (
        <ul class="done" ref={box}>
          {visible.map((line) => (
            <li key={line.key} tabIndex={-1}>
              <time dateTime={new Date(line.at_ms).toISOString()} title={new Date(line.at_ms).toLocaleString()}>{when(line.at_ms)}</time> {line.who}: {line.what}{line.why ? ` (${line.why})` : ''}{line.node ? `, on ${line.node}` : ''}
            </li>
          ))}
        </ul>
      ) : <p class="facts">{isHere ? 'Nobody has changed anything.' : problem ? 'It could not be fetched; the next try is in a moment.' : 'Loading.'}</p>}
      {changes.next || operations.next || lines.length > shown
        ? <p class="buttons"><button type="button" class="quiet" aria-disabled={changes.busy || operations.busy} onClick={() => void more()}>Older steps</button></p>
        : null}
    </section>
  );
}

/** The time of today's, the day too of those before. */
function when(ms: number): string {
  const at = new Date(ms);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString() : at.toLocaleString();
}
