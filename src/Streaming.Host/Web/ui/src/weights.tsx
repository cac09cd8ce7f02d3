import { useState } from 'preact/hooks';
import { messageOf } from './api';
import { operate } from './operate';
import { usePolled } from './polled';
import { number } from './words';

interface Weight {
  name: string;
  value: number;
  /** Null where the settings do not know it. */
  setting: number | null;
  changed: boolean;
}

interface Kind {
  prefix: string;
  caption: string;
  /** In words: "action like". */
  word: (name: string) => string;
  bounds: { min: string; max: string; step: string };
  /** What comes of a change. */
  text: string;
}

const kinds: Kind[] = [
  {
    prefix: 'Users:ActionWeights:', caption: 'What an action adds to interests and popularity; negative pushes away', word: (name) => `action ${name}`,
    bounds: { min: '-1000', max: '1000', step: 'any' },
    text: 'It counts for what users do from now on, on every node. What they have done keeps its weight.',
  },
  {
    prefix: 'Feeds:GoalWeights:', caption: 'Goals in the score of rankers that have several', word: (name) => `goal ${name}`, bounds: { min: '0', max: '1000', step: 'any' },
    text: 'Lists that are built from now on are ordered by it, unless their arm has a weight of its own.',
  },
  {
    prefix: 'Feeds:Quotas:', caption: 'Candidates wanted of each recall channel; 0 switches it off', word: (name) => `channel ${name}`, bounds: { min: '0', max: '10000', step: '1' },
    text: 'Lists that are built from now on are recalled by it, unless their arm or surface has a quota of its own. The hold-out keeps its lists.',
  },
  {
    prefix: 'Feeds:MmrLambda', caption: 'Relevance against diversity, 0 to 1', word: () => 'relevance', bounds: { min: '0', max: '1', step: 'any' },
    text: 'Lists that are built from now on are re-ranked by it, unless their arm has one of its own. 1 leaves diversity out.',
  },
];

const pathOf = (name: string) => `/v1/weights/${encodeURIComponent(name)}`;

/** What weighs how much, changed while everything runs. */
export function Weights({ changed }: { changed: () => void }) {
  const { answer, problem, again } = usePolled<{ weights: Weight[] }>('/v1/weights', 10_000);
  const [refused, setRefused] = useState('');
  const step = async (take: () => Promise<boolean>) => {
    setRefused('');
    try {
      if (!(await take())) return;
      await again();
      changed();
    } catch (no) {
      setRefused(messageOf(no));
    }
  };
  const change = (kind: Kind, weight: Weight, word: string) => step(() => operate(
    { title: `Change the weight of ${word}`, text: kind.text, number: { label: 'Weight', from: weight.value, ...kind.bounds } },
    (value) => `${pathOf(weight.name)}?value=${value}`, 'PUT',
  ));
  const back = (kind: Kind, weight: Weight, word: string) => step(() => operate(
    {
      title: weight.setting === null ? `Take the weight of ${word} away` : `Have ${word} as in the settings`,
      text: weight.setting === null ? 'Events of that type are set aside again.' : `Its weight is ${number(weight.setting, 6)} again. ${kind.text}`,
    },
    () => pathOf(weight.name), 'DELETE',
  ));
  const add = () => step(() => operate(
    {
      title: 'Weigh a type of your own', name: { label: 'Type, as events name it' }, number: { label: 'Weight', from: 1, ...kinds[0].bounds },
      text: 'Events of that type are taken from now on. Those that were set aside can be sent again.',
    },
    (value, name) => `${pathOf(kinds[0].prefix + name)}?value=${value}`, 'PUT',
  ));
  const weights = answer?.weights ?? [];
  return (
    <section class="panel" aria-labelledby="weights">
      <div class="heading">
        <h2 id="weights">Weights</h2>
        <button type="button" class="quiet" onClick={() => void add()}>Weigh a type of your own</button>
      </div>
      {problem || refused ? <p class="problem" role="alert">{refused || problem}</p> : null}
      {answer || problem ? null : <p class="facts">Loading.</p>}
      <div class="quarters">
        {kinds.map((kind) => ({ kind, rows: weights.filter((w) => w.name.startsWith(kind.prefix)) })).filter(({ rows }) => rows.length).map(({ kind, rows }) => (
          <div class="scroll" tabIndex={0} role="region" aria-label={kind.caption} key={kind.prefix}>
            <table>
              <caption>{kind.caption}</caption>
              <thead><tr><th scope="col">Of</th><th scope="col">Weight</th><th scope="col">Step</th></tr></thead>
              <tbody>
                {rows.map((weight) => {
                  const word = kind.word(weight.name.slice(kind.prefix.length));
                  return (
                    <tr key={weight.name} data-weight={weight.name}>
                      <th scope="row" class="word">{weight.name.slice(kind.prefix.length) || word}</th>
                      <td>{number(weight.value, 6)}{weight.changed ? <strong class="was"> {weight.setting === null ? 'not in the settings' : `settings: ${number(weight.setting, 6)}`}</strong> : null}</td>
                      <td class="buttons">
                        <button type="button" class="quiet" onClick={() => void change(kind, weight, word)} aria-label={`Change the weight of ${word}`}>Change</button>
                        {weight.changed ? <button type="button" class="quiet" onClick={() => void back(kind, weight, word)} aria-label={`Back to the settings: ${word}`}>Back</button> : null}
                      </td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        ))}
      </div>
    </section>
  );
}
