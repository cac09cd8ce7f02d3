import { useEffect, useState } from 'preact/hooks';
import { explainList, explainedMax, feed, messageOf, popular, type Entry, type Explained } from './api';
import { ArmPicker } from './arms';
import { Card } from './card';
import { useItems } from './items';

const length = 20;

/** Looks for an arm's list, a second apart: it is built when it is asked for, and a busy node answers with the popular one meanwhile. */
const triesMax = 30;

interface Props {
  user: string;
  surface: string;
  /** Null until it is known which. */
  arm: string | null;
  choices: string[];
  mine: Entry[];
  version: number;
  onPick: (arm: string) => void;
}

/** A second list beside the user's: what is popular (all that the hold-out ever gets), or another arm's. */
export function Beside({ user, surface, arm, choices, mine, version, onPick }: Props) {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [reasons, setReasons] = useState<Map<string, Explained> | null>(null);
  const [facts, setFacts] = useState('');
  const [problem, setProblem] = useState('');
  const items = useItems([...entries.map((e) => e.item), ...[...(reasons?.values() ?? [])].flatMap((r) => r.because?.item ?? [])]);

  useEffect(() => {
    if (arm === null) return;
    let current = true;
    setProblem('');
    /** Nobody waits for the reasons; what is popular has none but that. */
    const shown = (found: Entry[], said: string, isOwn: boolean) => {
      setEntries(found);
      setFacts(said);
      setReasons(isOwn ? new Map() : null);
      if (isOwn && found.length)
        explainList(user, surface, Math.min(found.length, explainedMax), arm).then((all) => current && setReasons(new Map(all.map((e) => [e.item, e]))), () => {});
    };
    const ofArm = async (tries: number) => {
      const found = await feed(user, { surface, limit: length, arm });
      if (!current) return;
      if (found.source === 'own') return shown(found.items, `Arm ${found.arm}, made by ${found.models}.`, true);
      shown(found.items, `Arm ${found.arm} has no list of this user's yet: this is what is popular.`, false);
      if (tries > 0) setTimeout(() => current && ofArm(tries - 1).catch(refuse), 1000);
    };
    const refuse = (refused: unknown) => {
      if (!current) return;
      shown([], '', false);
      setProblem(messageOf(refused));
    };
    if (arm !== 'popular') ofArm(triesMax).catch(refuse);
    else popular(surface, length).then((found) => current && shown(found.items, 'Popularity and nothing personal: what the hold-out is made of.', false), refuse);
    return () => void (current = false);
  }, [arm, user, surface, version, mine.length > 0]);

  const places = new Map(mine.map((entry, place) => [entry.item, place]));
  const shared = entries.filter((entry) => places.has(entry.item)).length;
  return (
    <section aria-labelledby="beside">
      <div class="heading">
        <h2 id="beside">Beside it</h2>
        <ArmPicker value={arm ?? 'popular'} first={{ value: 'popular', label: 'popular' }} choices={choices} onPick={onPick} />
      </div>
      {problem ? <p class="problem" role="alert">{problem}</p> : null}
      <p class="facts">{facts} {entries.length ? `${shared} of ${entries.length} are in both.` : ''}</p>
      <ol class="list">
        {entries.map((entry, place) => (
          <Card
            key={entry.item} entry={entry} place={place} item={items.get(entry.item)} explained={reasons && reasons.get(entry.item)}
            note={places.has(entry.item) ? `place ${places.get(entry.item)! + 1} in the other` : ''}
          />
        ))}
      </ol>
    </section>
  );
}
