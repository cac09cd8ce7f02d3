import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { messageOf } from './api';
import { operate } from './operate';
import { usePolled } from './polled';
import type { Deep, LiveFrame } from './stream';
import { duration, number } from './words';

/** The last version before the serving one that the canary let through; the serving one where there is none. */
function before(model: Deep): number {
  return model.ledger.filter((entry) => entry.verdict === 'promoted' && entry.version < model.serving).at(-1)?.version ?? model.serving;
}

/** Whose order a re-ranker's lists have, and why: NDCG of its head beside its base. */
function Head({ of }: { of: Deep['head'] }) {
  if (!of || of.lists <= 0) return null;
  const figures = `NDCG ${number(of.head_ndcg)} beside ${number(of.base_ndcg)} of the base`;
  return of.is_served ? <small> head serves: {figures}</small> : <strong class="bad"> base serves: {figures}</strong>;
}

/** Versions and figures of all models; deep ones that rank can be served as they were. */
export function Models({ frame, changed }: { frame: LiveFrame; changed: () => void }) {
  const { answer, again } = usePolled<{ definitions: { rollbacks?: string[] } }>('/v1/experiments', 10_000);
  const [problem, setProblem] = useState('');
  const deep = new Map(frame.status.deep.map((d) => [d.name, d]));
  const versions = new Map(frame.status.models.split(' ').filter(Boolean).map((v) => v.split(':') as [string, string]));
  const figures = new Map(frame.models.map((m) => [m.model, m]));
  const held = new Map((answer?.definitions.rollbacks ?? []).map((r) => r.split('@') as [string, string]));
  const names = [...new Set([...figures.keys(), ...versions.keys()])].sort();

  const step = async (model: Deep) => {
    setProblem('');
    const path = `/v1/models/${encodeURIComponent(model.name)}`;
    try {
      const done = await (held.has(model.name)
        ? operate({ title: `Serve the newest ${model.name}`, text: `Version ${model.serving} ranks again wherever an arm names the model.` }, () => `${path}/newest`)
        : operate(
            {
              title: `Roll back ${model.name}`, danger: true,
              text: 'Wherever an arm names the model, that version ranks instead, on every node, until the newest is asked for. Learning goes on. The version must still be in the log.',
              number: { label: 'Version', from: before(model), min: '1', step: '1' },
            },
            (version) => `${path}/rollback?version=${version}`,
          ));
      if (!done) return;
      await again();
      changed();
    } catch (refused) {
      setProblem(messageOf(refused));
    }
  };

  return (
    <section class="panel" aria-labelledby="models">
      <h2 id="models">Models</h2>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <div class="scroll" tabIndex={0} role="region" aria-label="Models and their figures">
        <table>
          <caption>Versions in force, and figures over the last predictions, each made before its label was learned</caption>
          <thead>
            <tr>
              <th scope="col">Model</th><th scope="col">Version</th><th scope="col">AUC</th><th scope="col">GAUC</th><th scope="col">Log-loss</th><th scope="col">Calibration</th>
              {deep.size ? <th scope="col">Canary</th> : null}{deep.size ? <th scope="col">Step</th> : null}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => {
              const [of, worker] = [figures.get(name), deep.get(name)];
              return (
                <Fragment key={name}>
                  <tr data-model={name}>
                    <th scope="row">{name}</th>
                    <td>{versions.get(name) ?? ''}{held.has(name) ? <strong class="bad"> rolled back to {held.get(name)}</strong> : null}<Head of={worker?.head ?? null} /></td>
                    <td>{number(of?.auc)}</td><td>{number(of?.gauc)}</td><td>{number(of?.log_loss)}</td><td>{number(of?.calibration)}</td>
                    {deep.size ? <td>{worker ? `${worker.promotions} passed, ${worker.rollbacks} not` : ''}</td> : null}
                    {deep.size ? (
                      <td>
                        {worker?.ranks && worker.serving > 0 ? (
                          <button type="button" class="quiet" onClick={() => void step(worker)} aria-label={held.has(name) ? `Newest ${name}` : `Roll back ${name}`}>{held.has(name) ? 'Newest' : 'Roll back'}</button>
                        ) : null}
                      </td>
                    ) : null}
                  </tr>
                  {worker?.goals.map((goal) => (
                    <tr key={goal.goal} data-model={name} data-goal={goal.goal}>
                      <th scope="row">{name}: {goal.goal}</th>
                      <td />
                      <td>{number(goal.auc)}</td><td>{number(goal.gauc)}</td><td>{number(goal.log_loss)}</td><td>{number(goal.calibration)}</td>
                      <td /><td />
                    </tr>
                  ))}
                </Fragment>
              );
            })}
          </tbody>
        </table>
      </div>
      <Canary deep={frame.status.deep} />
    </section>
  );
}

const verdictsShown = 12;

/** The canary's ledger: each version that was judged, beside the one that served, on the same examples. */
function Canary({ deep }: { deep: Deep[] }) {
  const verdicts = deep.flatMap((model) => model.ledger.map((entry) => ({ ...entry, model: model.name }))).sort((a, b) => b.time_ms - a.time_ms).slice(0, verdictsShown);
  if (!verdicts.length) return null;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Canary">
      <table>
        <caption>Verdicts of the canary, the newest first; log-losses are the version's and the serving one's on the same examples</caption>
        <thead>
          <tr><th scope="col">Version</th><th scope="col">Age</th><th scope="col">Verdict</th><th scope="col">Log-loss</th><th scope="col">Serving</th><th scope="col">Examples</th><th scope="col" class="text">Why</th></tr>
        </thead>
        <tbody>
          {verdicts.map((entry) => (
            <tr key={`${entry.model}${entry.version}${entry.time_ms}`}>
              <th scope="row">{entry.model}:{entry.version}</th>
              <td>{duration(Date.now() - entry.time_ms)}</td>
              <td class={entry.verdict === 'promoted' ? 'good' : 'bad'}>{entry.verdict === 'promoted' ? 'passed' : 'went back'}</td>
              <td>{number(Number(entry.candidate?.log_loss ?? NaN), 4)}</td>
              <td>{number(Number(entry.serving?.log_loss ?? NaN), 4)}</td>
              <td>{number(entry.examples)}</td>
              <td class="text">{entry.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
