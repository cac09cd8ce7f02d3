import { useState } from 'preact/hooks';
import { messageOf } from './api';
import { operate } from './operate';
import { usePolled } from './polled';
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

/** Records that could not be used, newest first, and sending one again where its reason has gone. */
export function Letters({ count, reasons, changed }: { count: number; reasons: Record<string, number>; changed: () => void }) {
  const { answer, problem, again } = usePolled<{ letters: Letter[]; seen: number; complete: boolean }>('/v1/dead-letters?limit=20', 30_000, count);
  const [said, setSaid] = useState('');
  const retry = async (letter: Letter) => {
    try {
      const done = await operate(
        { title: 'Send it again', text: `The record goes to its topic again, as it came (${letter.bytes} bytes). Where it has no event_id of its own it counts once more.` },
        () => `/v1/dead-letters/${letter.offset}/retry`,
      );
      if (!done) return;
      setSaid(`The letter at ${letter.offset} was sent again.`);
      await again();
      changed();
    } catch (refused) {
      setSaid(messageOf(refused));
    }
  };
  const words = Object.entries(reasons).sort((a, b) => b[1] - a[1]);
  return (
    <section class="panel" aria-labelledby="letters">
      <h2 id="letters">Dead letters</h2>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <p role="status">{said}</p>
      {words.length ? <p class="facts">Since the start: {words.slice(0, 6).map(([reason, times]) => `${reason} (${number(times)})`).join(', ')}.</p> : null}
      {answer?.letters.length ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Dead letters, newest first">
          <table>
            <thead><tr><th scope="col">Age</th><th scope="col" class="text">Reason</th><th scope="col">From</th><th scope="col" class="text">Record</th><th scope="col">Step</th></tr></thead>
            <tbody>
              {answer.letters.map((letter) => (
                <tr key={letter.offset} data-letter={letter.offset}>
                  <td>{duration(Date.now() - letter.time_ms)}</td>
                  <td class="text">{letter.reason}</td>
                  <td>{letter.topic} {letter.position}</td>
                  <td class="text"><code>{letter.payload.slice(0, 160)}{letter.bytes > 160 ? ' ...' : ''}</code></td>
                  <td>
                    {letter.retried ? 'sent again' : <button type="button" class="quiet" onClick={() => void retry(letter)} aria-label={`Send again the letter at ${letter.offset}`}>Send again</button>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : <p class="facts">There are none.</p>}
    </section>
  );
}
