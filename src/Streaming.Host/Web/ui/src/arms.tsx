import { useEffect, useState } from 'preact/hooks';
import { get } from './api';

/** Whether this page may ask an operator's route: no key is asked for to do so. */
const mayAsk = () => document.documentElement.dataset.admin !== 'apart' && (document.documentElement.dataset.keys !== 'asked' || !!sessionStorage.getItem('streaming-key'));

/** Arms that a user may ask for; null where this page may not know, so that they are typed, and undefined until the node has said. */
export function useChoices(user: string, surface: string): string[] | null | undefined {
  const [found, setFound] = useState<{ of: string; choices: string[] | null }>();
  useEffect(() => {
    if (!mayAsk()) return setFound({ of: user, choices: null });
    let current = true;
    get<{ choices: string[] }>(`/v1/experiments/assignment?${new URLSearchParams({ user, surface })}`).then(
      (answer) => current && setFound({ of: user, choices: answer.choices }), () => current && setFound({ of: user, choices: null }),
    );
    return () => void (current = false);
  }, [user, surface]);
  return found?.of === user ? found.choices : undefined;
}

/** The default layer's arm of an arm's full name: "learned" of "learned~mmr:wide". */
const baseOf = (arm: string) => arm.split('~')[0];

/** What to show beside a list of this arm where nobody has chosen yet: another arm of the default layer, one that learns if there is one. */
export function otherThan(arm: string, choices: string[]): string {
  const others = choices.filter((choice) => !choice.includes(':') && choice !== baseOf(arm));
  return others.find((choice) => choice !== 'holdout') ?? others[0] ?? 'popular';
}

const typedOption = '\n';

/** Which list stands on one side: one of what there is, or one that is typed, as of two experiments at once. */
export function ArmPicker(props: { value: string; first: { value: string; label: string }; choices: string[]; onPick: (arm: string) => void }) {
  const [typing, setTyping] = useState(false);
  const [typed, setTyped] = useState(props.value);
  useEffect(() => setTyped(props.value), [props.value]);
  const offered = [...props.choices, ...(props.value !== props.first.value && !props.choices.includes(props.value) ? [props.value] : [])];
  return (
    <label class="inline">
      List
      {typing || !props.choices.length ? (
        <input
          value={typed} placeholder="arm or experiment:arm" autocomplete="off" onInput={(e) => setTyped(e.currentTarget.value)}
          onChange={(e) => {
            setTyping(false);
            props.onPick(e.currentTarget.value.trim() || props.first.value);
          }}
        />
      ) : (
        <select value={props.value} onChange={(e) => (e.currentTarget.value === typedOption ? setTyping(true) : props.onPick(e.currentTarget.value))}>
          <option value={props.first.value}>{props.first.label}</option>
          {offered.map((arm) => <option key={arm} value={arm}>{arm}</option>)}
          <option value={typedOption}>Another, typed</option>
        </select>
      )}
    </label>
  );
}
