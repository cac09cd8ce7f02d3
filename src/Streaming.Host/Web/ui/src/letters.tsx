import { useState } from 'preact/hooks';
import { messageOf } from './api';
import { operate } from './operate';
import { useArrival, usePages } from './pages';
import { duration, number } from './words';

interface Letter {
  offset: number;
  reason: string;
  topic: string;
  position: string | null;
  time_ms: number;
  retried: boolean;
  bytes: number;
  payload: string;
}

interface Page {
  letters: Letter[];
  next: string | null;
  seen: number;
  complete: boolean;
}

/** Records that could not be used, newest first, and sending one again where its reason has gone. */
export function Letters({ count, reasons, changed }: { count: number; reasons: Record<string, number>; changed: () => void }) {
  const { answer, problem, again, entries, next, busy, older } = usePages<Page, Letter>('/v1/dead-letters?limit=20', 30_000, count, (page) => page.letters, (letter) => letter.offset);
  const [said, setSaid] = useState('');
  // Pages behind the first are not asked for again.
  const [sent, setSent] = useState<number[]>([]);
  const { box, arrive } = useArrival<HTMLTableSectionElement>();
  const retry = async (letter: Letter) => {
    try {
      const done = await operate(
        { title: 'Send it again', text: `The record goes to its topic again, as it came (${letter.bytes} bytes). Where it has no event_id of its own it counts once more.` },
        () => `/v1/dead-letters/${letter.offset}/retry`,
      );
      if (!done) return;
      setSaid(`The letter at ${letter.offset} was sent again.`);
      setSent((all) => [...all, letter.offset]);
      await again();
      changed();
    } catch (refused) {
      setSaid(messageOf(refused));
    }
  };
  const more = async () => {
    const found = await older();
    if (!found) return;
    if (found.length) arrive(`[data-letter="${found[0].offset}"]`);
    setSaid(`${found.length} older letters; ${entries.length + found.length} are shown.`);
  };
  const words = Object.entries(reasons).sort((a, b) => b[1] - a[1]);
  return (
    <section class="panel" aria-labelledby="letters">
      <h2 id="letters">Dead letters</h2>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <p role="status">{said}</p>
      {words.length ? <p class="facts">Since the start: {words.slice(0, 6).map(([reason, times]) => `${reason} (${number(times)})`).join(', ')}.</p> : null}
      {answer && !answer.complete ? <p class="facts">The log has not given all of them in time; some are missing here.</p> : null}
      {entries.length ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Dead letters, newest first">
          <table>
            <thead><tr><th scope="col">Age</th><th scope="col" class="text">Reason</th><th scope="col">From</th><th scope="col" class="text">Record</th><th scope="col">Step</th></tr></thead>
            <tbody ref={box}>
              {entries.map((letter) => (
                <tr key={letter.offset} data-letter={letter.offset} tabIndex={-1}>
                  <td>{duration(Date.now() - letter.time_ms)}</td>
                  <td class="text">{letter.reason}</td>
                  <td>{letter.topic} {letter.position}</td>
                  <td class="text"><code>{letter.payload.slice(0, 160)}{letter.bytes > 160 ? ' ...' : ''}</code></td>
                  <td>
                    {letter.retried || sent.includes(letter.offset)
                      ? 'sent again'
                      : <button type="button" class="quiet" onClick={() => void retry(letter)} aria-label={`Send again the letter at ${letter.offset}`}>Send again</button>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {entries.length ? null : <p class="facts">{answer ? 'There are none.' : problem ? 'They could not be fetched; the next try is in half a minute.' : 'Loading.'}</p>}
      {next ? <p class="buttons"><button type="button" class="quiet" aria-disabled={busy} onClick={() => void more()}>Older letters</button></p> : null}
    </section>
  );
}
