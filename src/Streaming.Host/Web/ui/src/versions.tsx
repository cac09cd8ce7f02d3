import type { Deep, Sample } from './stream';
import { duration, number } from './words';

/** A moment at which another version of a deep model came into force, or the canary kept one from it. */
export interface VersionStep {
  atMs: number;
  model: string;
  version: number;
  what: 'in force' | 'rolled back' | 'went back';
  /** Prequential, of the model in that second. */
  auc: number | null;
}

const stepsMax = 30;
const rowsMax = 8;

/** Steps of the time that the samples cover, oldest first: versions in force by the samples, and the canary's refusals by its ledger. */
export function versionSteps(samples: Sample[], deep: Deep[]): VersionStep[] {
  const steps: VersionStep[] = [];
  for (let i = 1; i < samples.length; i++) {
    for (const [model, version] of Object.entries(samples[i].versions)) {
      const was = samples[i - 1].versions[model] ?? 0;
      if (version !== was && version > 0) steps.push({ atMs: samples[i].at_ms, model, version, what: version < was ? 'rolled back' : 'in force', auc: samples[i].auc[model] ?? null });
    }
  }
  const [first, last] = [samples[0]?.at_ms ?? 0, samples.at(-1)?.at_ms ?? 0];
  for (const model of deep) {
    for (const { verdict, version, time_ms } of model.ledger) {
      if (verdict === 'promoted' || time_ms < first || time_ms > last) continue;
      const then = samples.findLast((sample) => sample.at_ms <= time_ms);
      steps.push({ atMs: time_ms, model: model.name, version, what: 'went back', auc: then?.auc[model.name] ?? null });
    }
  }
  return steps.sort((a, b) => a.atMs - b.atMs).slice(-stepsMax);
}

/** The same in words: the newest first. */
export function VersionSteps({ steps }: { steps: VersionStep[] }) {
  if (!steps.length) return null;
  return (
    <section class="panel" aria-labelledby="version-steps">
      <h2 id="version-steps">Versions lately</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Versions of the last ten minutes">
        <table>
          <caption>What came into force, was rolled back, or went back at the canary, the newest first; AUC is the model's in that second</caption>
          <thead><tr><th scope="col">Version</th><th scope="col">Age</th><th scope="col">What</th><th scope="col">AUC</th></tr></thead>
          <tbody>
            {steps.slice(-rowsMax).reverse().map((step) => (
              <tr key={`${step.model}${step.version}${step.atMs}`}>
                <th scope="row">{step.model}:{step.version}</th>
                <td>{duration(Math.max(0, Date.now() - step.atMs))}</td>
                <td class={step.what === 'in force' ? 'good' : 'bad'}>{step.what}</td>
                <td>{number(step.auc)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
