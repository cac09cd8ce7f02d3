import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from './api';
import { Audit } from './audit';
import { Chart } from './chart';
import { Experiments } from './experiments';
import { Letters } from './letters';
import { Models } from './models';
import { ConfirmDialog, operate } from './operate';
import { watch, type LiveFrame, type Ranked, type Sample } from './stream';
import { useUsable } from './usable';
import { VersionSteps, versionSteps, type VersionStep } from './versions';
import { Weights } from './weights';
import { duration, number, percent } from './words';

const samplesKept = 600;

/** What the node does, live, and what an operator can do about it. */
export function DashboardPage() {
  const [frame, setFrame] = useState<LiveFrame | null>(null);
  const [state, setState] = useState('Connecting');
  const [steps, setSteps] = useState(0);
  const samples = useRef<Sample[]>([]);

  useEffect(() => {
    const stop = new AbortController();
    void watch(
      {
        state: setState,
        history: (past) => (samples.current = past),
        frame: (now) => {
          if (now.sample.at_ms > (samples.current.at(-1)?.at_ms ?? 0)) samples.current = [...samples.current, now.sample].slice(-samplesKept);
          setFrame(now);
        },
      },
      stop.signal,
    );
    return () => stop.abort();
  }, []);

  useUsable(!!frame);
  const changed = () => setSteps((count) => count + 1);
  return (
    <>
      <p role="status" class={`said ${state === 'Live' ? '' : 'bad'}`} id="state">{state}</p>
      {frame ? (
        <>
          <Tiles frame={frame} />
          <Charts samples={samples.current} steps={versionSteps(samples.current, frame.status.deep)} />
          <div class="halves">
            <Intake frame={frame} changed={changed} />
            <Models frame={frame} changed={changed} />
          </div>
          <Experiments changed={changed} />
          <Weights changed={changed} />
          <div class="quarters">
            <Moving title="Top movers" caption="Places gained on the popular list in a minute" rows={frame.movers} />
            <Moving title="Popular" caption="Everybody's popular list" rows={frame.popular} />
            <Busy title="Hot users" caption="Events lately, halved every minute" rows={frame.hot_users} link />
            <Busy title="Hot items" caption="Actions lately, halved every minute" rows={frame.hot_items} />
          </div>
          <Letters count={frame.status.users.dead_letters + frame.status.item_dead_letters + frame.status.ingest_rejected} reasons={frame.set_aside_by_reason} changed={changed} />
          <Audit steps={steps} />
        </>
      ) : null}
      <ConfirmDialog />
    </>
  );
}

function Tiles({ frame }: { frame: LiveFrame }) {
  const { sample, status } = frame;
  const tiles: [string, string, string][] = [
    ['Events', `${number(sample.events_per_s)}/s`, `${number(status.users.applied)} in all`],
    ['Click to list', duration(sample.click_to_list_ms_p50), `p99 ${duration(sample.click_to_list_ms_p99)}`],
    ['Feed age', duration(sample.feed_age_ms_p50), `p99 ${duration(sample.feed_age_ms_p99)}`],
    ['Cache hits', percent(sample.hit_share), `${number(sample.lookups_per_s)} look-ups/s`],
    ['Lag', number(sample.lag_offsets), `offsets; ${duration(status.lag_ms)} to catch up`],
    ['Users in memory', number(status.users.resident), `${number(status.items)} items`],
    ['Examples', number(status.examples), `${number(status.users.lists)} lists built`],
    ['Dead letters', number(status.users.dead_letters + status.item_dead_letters + status.ingest_rejected), `checkpoint ${status.checkpoint_id}`],
  ];
  return (
    <section aria-label="Figures of this second">
      <dl class="tiles">
        {tiles.map(([name, value, more]) => (
          <div class="panel" key={name}>
            <dt>{name}</dt>
            <dd><strong>{value}</strong> <span>{more}</span></dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Charts({ samples, steps }: { samples: Sample[]; steps: VersionStep[] }) {
  const times = samples.map((s) => s.at_ms / 1000);
  const last = samples.at(-1);
  const models = [...new Set(samples.flatMap((s) => Object.keys(s.auc)))].sort();
  return (
    <section aria-label="The last ten minutes" class="halves">
      <Chart
        title="A second" times={times}
        lines={[
          { name: 'events', values: samples.map((s) => s.events_per_s), now: number(last?.events_per_s) },
          { name: 'look-ups', values: samples.map((s) => s.lookups_per_s), now: number(last?.lookups_per_s) },
        ]}
      />
      <Chart
        title="Click to list, ms" times={times}
        lines={[
          { name: 'p50', values: samples.map((s) => s.click_to_list_ms_p50), now: number(last?.click_to_list_ms_p50) },
          { name: 'p99', values: samples.map((s) => s.click_to_list_ms_p99), now: number(last?.click_to_list_ms_p99) },
        ]}
      />
      <Chart
        title="AUC, each prediction before its label" times={times}
        lines={models.map((model) => ({ name: model, values: samples.map((s) => s.auc[model] ?? null), now: `${last?.versions[model] ? `version ${last.versions[model]} ` : ''}${number(last?.auc[model])}` }))}
        marks={steps.map((step) => ({ time: step.atMs / 1000, isGood: step.what === 'in force' }))}
      />
      <Chart title="Lag, offsets" times={times} lines={[{ name: 'behind', values: samples.map((s) => s.lag_offsets), now: number(last?.lag_offsets) }]} />
      <VersionSteps steps={steps} />
    </section>
  );
}

/** What comes in, how far each partition is behind, and whether anything is taken. */
function Intake({ frame, changed }: { frame: LiveFrame; changed: () => void }) {
  const [problem, setProblem] = useState('');
  const { admission, shards } = frame.status;
  const isPaused = admission === 'Paused';
  const step = async () => {
    setProblem('');
    try {
      const done = await operate(
        isPaused
          ? { title: 'Resume the intake', text: 'Events and items are taken again over HTTP.' }
          : { title: 'Pause the intake', text: 'POSTs of events and items get 503 until you resume, or the node starts anew. What is in the log goes on, and lists are served.', danger: true },
        () => `/v1/intake/${isPaused ? 'resume' : 'pause'}`,
      );
      if (done) changed();
    } catch (refused) {
      setProblem(messageOf(refused));
    }
  };
  const types = Object.entries(frame.events_per_s_by_type).filter(([, rate]) => rate > 0).sort((a, b) => b[1] - a[1]);
  return (
    <section class="panel" aria-labelledby="intake">
      <div class="heading">
        <h2 id="intake">Intake: <span class={admission === 'Open' ? 'good' : 'bad'}>{admission.toLowerCase()}</span></h2>
        <button type="button" class={isPaused ? '' : 'danger'} onClick={() => void step()}>{isPaused ? 'Resume' : 'Pause'}</button>
      </div>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <p class="facts">{types.length ? types.map(([type, rate]) => `${type} ${number(rate)}/s`).join(', ') : 'No events in this second'}.</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Partitions">
        <table>
          <caption>Partitions of events</caption>
          <thead><tr><th scope="col">Partition</th><th scope="col">Behind, offsets</th>{shards ? <th scope="col">Led here</th> : null}</tr></thead>
          <tbody>
            {Object.entries(frame.lag_by_partition).sort((a, b) => Number(a[0]) - Number(b[0])).map(([partition, lag]) => (
              <tr key={partition}><th scope="row">{partition}</th><td>{number(lag)}</td>{shards ? <td>{shards.leading.includes(Number(partition)) ? 'yes' : 'no'}</td> : null}</tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Moving({ title, caption, rows }: { title: string; caption: string; rows: Ranked[] }) {
  return (
    <section class="panel" aria-label={title}>
      <h2>{title}</h2>
      <table>
        <caption>{caption}</caption>
        <thead><tr><th scope="col">Item</th><th scope="col">Place</th><th scope="col">Was</th></tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.item}><th scope="row" class="text">{row.item}</th><td>{row.rank}</td><td>{row.was ?? 'not on it'}</td></tr>
          ))}
        </tbody>
      </table>
      {rows.length ? null : <p class="facts">None at the moment.</p>}
    </section>
  );
}

function Busy({ title, caption, rows, link }: { title: string; caption: string; rows: { id: string; count: number }[]; link?: boolean }) {
  const linked = link && document.documentElement.dataset.admin !== 'apart';
  return (
    <section class="panel" aria-label={title}>
      <h2>{title}</h2>
      <table>
        <caption>{caption}</caption>
        <thead><tr><th scope="col">{link ? 'User' : 'Item'}</th><th scope="col">Times</th></tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}><th scope="row" class="text">{linked ? <a href={`/?user=${encodeURIComponent(row.id)}`}>{row.id}</a> : row.id}</th><td>{number(row.count)}</td></tr>
          ))}
        </tbody>
      </table>
      {rows.length ? null : <p class="facts">None at the moment.</p>}
    </section>
  );
}
