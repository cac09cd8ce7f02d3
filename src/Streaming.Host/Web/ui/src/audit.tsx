import { useState } from 'preact/hooks';
import { useArrival, usePages } from './pages';
import type { Operation } from './stream';

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

const shownAtOnce = 12;

/** Who did what, when and why: experiments, models and weights by their log, the rest by this process. */
export function Audit({ operations, steps }: { operations: Operation[]; steps: number }) {
  const { answer, problem, entries, next, busy, older } = usePages<Page, Entry>(`/v1/experiments/audit?limit=${shownAtOnce}`, 15_000, steps, (page) => page.entries, (entry) => entry.offset);
  const [shown, setShown] = useState(shownAtOnce);
  const { box, arrive } = useArrival<HTMLUListElement>();
  const merge = (of: Entry[], whole: boolean): Operation[] => {
    const made = of.filter((e) => e.in_force).map((e): Operation => ({ at_ms: e.changed_ms, who: e.changed_by, why: e.why, what: e.changes.join('; ') }));
    const all = [...operations, ...made].sort((a, b) => b.at_ms - a.at_ms);
    // Behind the last page that is here there may be some that come before the rest of the others.
    return whole ? all : all.filter((o) => o.at_ms >= (of.at(-1)?.changed_ms ?? 0));
  };
  const all = merge(entries, next === null);
  const visible = all.slice(0, shown);
  const more = async () => {
    setShown(shown + shownAtOnce);
    if (all.length < shown + shownAtOnce && next && !(await older())) return;
    arrive(`li:nth-child(${visible.length + 1})`);
  };
  return (
    <section class="panel" aria-labelledby="audit">
      <h2 id="audit">Audit</h2>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <p role="status" class="facts">{shown > shownAtOnce ? `${visible.length} steps are shown.` : ''}</p>
      {visible.length ? (
        <ul class="done" ref={box}>
          {visible.map((o) => (
            <li key={`${o.at_ms}${o.what}`} tabIndex={-1}>
              <time dateTime={new Date(o.at_ms).toISOString()} title={new Date(o.at_ms).toLocaleString()}>{when(o.at_ms)}</time> {o.who}: {o.what}{o.why ? ` (${o.why})` : ''}
            </li>
          ))}
        </ul>
      ) : <p class="facts">{answer ? 'Nobody has changed anything.' : problem ? 'It could not be fetched; the next try is in a moment.' : 'Loading.'}</p>}
      {next || all.length > shown ? <p class="buttons"><button type="button" class="quiet" aria-disabled={busy} onClick={() => void more()}>Older steps</button></p> : null}
    </section>
  );
}

/** The time of today's, the day too of those before. */
function when(ms: number): string {
  const at = new Date(ms);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString() : at.toLocaleString();
}
