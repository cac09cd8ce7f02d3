import { useEffect, useState } from 'preact/hooks';
import { feed, get, messageOf, popular, type Entry } from './api';
import { Card } from './card';
import { useItems } from './items';
import { number } from './words';

interface Definitions {
  definitions: { experiments: { name: string; arms: { name: string }[] }[] };
}

/** A second list beside the user's: what is popular (all that the hold-out ever gets), or an arm of an experiment. */
export function Beside(props: { user: string; surface: string; mine: Entry[]; version: number }) {
  const [arm, setArm] = useState('popular');
  const [typed, setTyped] = useState('popular');
  const [arms, setArms] = useState<string[]>([]);
  const [entries, setEntries] = useState<Entry[]>([]);
  const [facts, setFacts] = useState('');
  const [problem, setProblem] = useState('');
  const items = useItems(entries.map((e) => e.item));

  useEffect(() => {
    // An operator's route: where this page may not ask for it, the arm is typed. No key is asked for here.
    const key = sessionStorage.getItem('streaming-key');
    if (document.documentElement.dataset.admin === 'apart' || (document.documentElement.dataset.keys === 'asked' && !key)) return;
    get<Definitions>('/v1/experiments').then(
      (found) => setArms(found.definitions.experiments.flatMap((e) => e.arms.map((a) => `${e.name}:${a.name}`))), () => {},
    );
  }, []);

  useEffect(() => {
    let current = true;
    setProblem('');
    const shown = (found: Entry[], said: string) => {
      if (!current) return;
      setEntries(found);
      setFacts(said);
    };
    const ofArm = async (tries: number) => {
      const found = await feed(props.user, { surface: props.surface, limit: 20, arm });
      if (!current) return;
      if (found.source === 'own') return shown(found.items, `Arm ${found.arm}, made by ${found.models}.`);
      // A list of another arm is built when it is asked for; a busy node answers with the popular one meanwhile.
      shown(found.items, `Arm ${found.arm} has no list of this user's yet: this is what is popular.`);
      if (tries > 0) setTimeout(() => current && ofArm(tries - 1).catch(refuse), 1000);
    };
    const refuse = (refused: unknown) => {
      shown([], '');
      if (current) setProblem(messageOf(refused));
    };
    if (!arm) shown([], '');
    else if (arm !== 'popular') ofArm(10).catch(refuse);
    else popular(props.surface, 20).then((found) => shown(found.items, 'Popularity and nothing personal: what the hold-out is made of.'), refuse);
    return () => void (current = false);
  }, [arm, props.user, props.surface, props.version]);

  const places = new Map(props.mine.map((entry, place) => [entry.item, place]));
  const shared = entries.filter((entry) => places.has(entry.item)).length;
  return (
    <section aria-labelledby="beside">
      <div class="heading">
        <h2 id="beside">Beside it</h2>
        <label class="inline">
          List
          <input list="arms" value={typed} placeholder="popular or experiment:arm" autocomplete="off" onInput={(e) => setTyped(e.currentTarget.value)} onChange={(e) => setArm(e.currentTarget.value.trim())} />
        </label>
        <datalist id="arms">{['popular', ...arms].map((a) => <option key={a} value={a} />)}</datalist>
      </div>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <p class="facts">{facts} {entries.length ? `${shared} of ${entries.length} are in both.` : ''}</p>
      <ol class="list">
        {entries.map((entry, place) => (
          <Card
            key={entry.item} entry={entry} place={place} item={items.get(entry.item)}
            note={`${entry.channel} · score ${number(entry.score)}${places.has(entry.item) ? ` · place ${places.get(entry.item)! + 1} in the other` : ''}`}
          />
        ))}
      </ol>
    </section>
  );
}
