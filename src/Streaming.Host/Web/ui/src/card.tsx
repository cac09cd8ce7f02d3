import { useState } from 'preact/hooks';
import { messageOf, type Entry, type Explained, type Item } from './api';
import type { Change } from './changes';
import { titleNow } from './items';
import { actionWord, number, reason } from './words';

interface Props {
  entry: Entry;
  place: number;
  item?: Item;
  change?: Change;
  /** Null where no reasons will come: the list is not the user's own. */
  explained: Explained | null | undefined;
  explain?: () => Promise<Explained>;
  act?: (type: 'click' | 'like' | 'hide') => void;
  note?: string;
}

/** One entry: what it is, why it is here, what has changed, and what can be done with it. */
export function Card({ entry, place, item, change, explained, explain, act, note }: Props) {
  const [details, setDetails] = useState<Explained | string | null>(null);
  const name = titleNow(entry.item);
  const words = [...new Set([...(item?.categories ?? []), ...(item?.tags ?? [])])];
  const toggle = async () => {
    if (details) return setDetails(null);
    try {
      setDetails(await explain!());
    } catch (refused) {
      setDetails(messageOf(refused));
    }
  };
  return (
    <li class={`card${change === 'new' ? ' is-new' : ''}`} data-item={entry.item} tabIndex={-1}>
      <div class="place" aria-hidden="true">{place + 1}</div>
      <div class="what">
        <h3>
          {name} <Mark change={change} />
        </h3>
        <p class="chips">
          {name !== entry.item ? <span class="chip">{entry.item}</span> : null}
          {words.slice(0, 6).map((word) => <span class="chip" key={word}>{word}</span>)}
          {item?.author ? <span class="chip">by {item.author}</span> : null}
        </p>
        <p class="why">
          {[reason(explained, entry.channel, titleNow), entry.channel, `score ${number(explained?.score_now ?? entry.score)}`, entry.team && `team ${entry.team}`, note].filter(Boolean).join(' · ')}
        </p>
        {act ? (
          <p class="buttons">
            <button type="button" onClick={() => act('click')} aria-label={`Open ${name}`}>Open</button>
            <button type="button" onClick={() => act('like')} aria-label={`Like ${name}`}>Like</button>
            <button type="button" class="quiet" onClick={() => act('hide')} aria-label={`Hide ${name}`}>Hide</button>
            {explain ? <button type="button" class="quiet" aria-expanded={details !== null} onClick={() => void toggle()} aria-label={`Why ${name}`}>Why</button> : null}
          </p>
        ) : null}
        {details ? <Details of={details} /> : null}
      </div>
    </li>
  );
}

function Mark({ change }: { change?: Change }) {
  if (change === undefined) return null;
  if (change === 'new') return <span class="mark new">new</span>;
  const word = change > 0 ? 'up' : 'down';
  return <span class={`mark ${word}`}>{word} {Math.abs(change)}</span>;
}

/** What the item's score and rank would be without each of the user's recent actions. */
function Details({ of }: { of: Explained | string }) {
  if (typeof of === 'string') return <p class="problem" role="alert">{of}</p>;
  return (
    <div class="details">
      <p>
        Now: channel {of.channel_now ?? 'none'}, recall rank {number(of.rank_now)}, score {number(of.score_now)}.
        {of.events.length ? ' The list was made again without each of these:' : ' Nothing was done yet that could be left out.'}
      </p>
      {of.events.length ? (
        <div class="scroll" tabIndex={0} role="region" aria-label={`Effects on ${titleNow(of.item)}`}>
          <table>
            <thead><tr><th scope="col">Without</th><th scope="col">Channel</th><th scope="col">Rank</th><th scope="col">Score</th><th scope="col">Change</th></tr></thead>
            <tbody>
              {of.events.slice(0, 8).map((o, i) => (
                <tr key={i}>
                  <th scope="row">{actionWord(o.action)} {o.item ? titleNow(o.item) : '(an item that is gone)'}</th>
                  <td>{o.channel_without ?? 'none finds it'}</td>
                  <td>{number(o.rank_without)}</td>
                  <td>{number(o.score_without)}</td>
                  <td>{o.drop > 0 ? '-' : o.drop < 0 ? '+' : ''}{number(Math.abs(o.drop))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </div>
  );
}
