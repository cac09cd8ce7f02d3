import { useState } from 'preact/hooks';
import { messageOf } from './api';
import { operate } from './operate';
import { usePolled } from './polled';
import { number, percent } from './words';

interface Experiment {
  name: string;
  layer: string;
  state: string;
  share: number;
  description?: string;
  arms: { name: string }[];
}

interface Report {
  control: string;
  arms: { arm: string; users: number; share: number; stopped: boolean }[];
  metrics: { metric: string; arm: string; control: number | null; value: number | null; lift: number | null; interval: [number, number] | null; verdict: string }[];
  sample_ratio: { is_mismatch: boolean };
  meaning: string[];
}

const verdicts: Record<string, string> = { too_early: 'too early to say', open: 'neither shown', better: 'better', worse: 'worse' };

/** The default layer and every experiment: arms with their click rates, and the steps that an operator can take. */
export function Experiments({ changed }: { changed: () => void }) {
  const { answer, problem, again } = usePolled<{ definitions: { experiments: Experiment[] } }>('/v1/experiments', 5000);
  const [refused, setRefused] = useState('');
  const step = async (experiment: Experiment, verb: 'start' | 'ramp' | 'stop' | 'kill') => {
    setRefused('');
    const texts = {
      start: 'Its arms get users from now on.', ramp: 'Users who have an arm keep it.',
      stop: 'Its users go back to what they had; testers can still see its arms.', kill: 'Nobody sees its arms any more, testers neither, and it can only be defined anew.',
    };
    try {
      const done = await operate(
        {
          title: `${verb[0].toUpperCase()}${verb.slice(1)} ${experiment.name}`, text: texts[verb], danger: verb === 'kill' || verb === 'stop',
          number: verb === 'start' || verb === 'ramp' ? { label: 'Share of the layer, 0 to 1', from: experiment.share || 0.1, min: '0.001', max: '1', step: 'any' } : undefined,
        },
        (share) => `/v1/experiments/${encodeURIComponent(experiment.name)}/${verb}${verb === 'start' || verb === 'ramp' ? `?share=${share}` : ''}`,
      );
      if (!done) return;
      await again();
      changed();
    } catch (no) {
      setRefused(messageOf(no));
    }
  };
  const experiments = answer?.definitions.experiments ?? [];
  return (
    <section class="panel" aria-labelledby="experiments">
      <h2 id="experiments">Arms</h2>
      {problem || refused ? <p class="problem" role="alert">{refused || problem}</p> : null}
      <Arms name="default" caption="The hold-out beside the learned feed" />
      {experiments.map((experiment) => (
        <div key={experiment.name} class="experiment" data-experiment={experiment.name}>
          <div class="heading">
            <h3>{experiment.name} <span class="mark">{experiment.state}</span></h3>
            <p class="buttons">
              {experiment.state === 'running' ? <button type="button" class="quiet" onClick={() => void step(experiment, 'ramp')} aria-label={`Ramp ${experiment.name}`}>Ramp</button> : null}
              {experiment.state === 'draft' || experiment.state === 'stopped'
                ? <button type="button" onClick={() => void step(experiment, 'start')} aria-label={`Start ${experiment.name}`}>Start</button> : null}
              {experiment.state === 'running' ? <button type="button" class="quiet" onClick={() => void step(experiment, 'stop')} aria-label={`Stop ${experiment.name}`}>Stop</button> : null}
              {experiment.state !== 'killed' ? <button type="button" class="danger" onClick={() => void step(experiment, 'kill')} aria-label={`Kill ${experiment.name}`}>Kill</button> : null}
            </p>
          </div>
          <p class="facts">{experiment.description} Layer {experiment.layer}, share {number(experiment.share)}.</p>
          {experiment.state === 'draft' ? null : <Arms name={experiment.name} caption={`Arms of ${experiment.name}`} />}
        </div>
      ))}
    </section>
  );
}

function Arms({ name, caption }: { name: string; caption: string }) {
  const { answer: report, problem } = usePolled<Report>(`/v1/experiments/${encodeURIComponent(name)}/report`, 5000);
  if (!report) return <p class="facts">{problem || 'Loading.'}</p>;
  const clicks = new Map(report.metrics.filter((m) => m.metric === 'ctr').map((m) => [m.arm, m]));
  const control = clicks.values().next().value?.control;
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
        <table>
          <caption>{caption}{report.sample_ratio.is_mismatch ? ': the split is not as planned, do not trust these' : ''}</caption>
          <thead>
            <tr><th scope="col">Arm</th><th scope="col">Users</th><th scope="col">Share</th><th scope="col">CTR</th><th scope="col">Lift</th><th scope="col">Interval</th><th scope="col">So far</th></tr>
          </thead>
          <tbody>
            {report.arms.map((arm) => {
              const row = clicks.get(arm.arm);
              const isControl = arm.arm === report.control;
              return (
                <tr key={arm.arm}>
                  <th scope="row">{arm.arm}{isControl ? ' (control)' : ''}{arm.stopped ? ' (stopped)' : ''}</th>
                  <td>{number(arm.users)}</td>
                  <td>{percent(arm.share, 0)}</td>
                  <td>{percent(isControl ? control : row?.value)}</td>
                  <td>{isControl ? '' : percent(row?.lift)}</td>
                  <td>{isControl ? '' : row?.interval ? `${percent(row.interval[0])} to ${percent(row.interval[1])}` : '-'}</td>
                  <td class={row?.verdict === 'better' ? 'good' : row?.verdict === 'worse' ? 'bad' : ''}>{row && !isControl ? verdicts[row.verdict] ?? row.verdict : ''}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {report.meaning.length ? <p class="facts">{report.meaning[0]}</p> : null}
    </>
  );
}
