import { useEffect, useRef, useState } from 'preact/hooks';
import { send } from './api';

const authorName = 'streaming-author';

export interface Step {
  /** What is about to happen, as a question's answer: "Pause the intake". */
  title: string;
  text: string;
  danger?: boolean;
  /** Asks for a number too. */
  number?: { label: string; from: number; min: string; max?: string; step: string };
  /** And for a name. */
  name?: { label: string };
}

interface Confirmed {
  who: string;
  why: string;
  number: number;
  name: string;
}

let ask: (step: Step) => Promise<Confirmed | null> = () => Promise.resolve(null);

/** Asks for a confirmation, and says who did it and why to the node's audit. False where it was called off. */
export async function operate(step: Step, path: (number: number, name: string) => string, method = 'POST'): Promise<boolean> {
  const confirmed = await ask(step);
  if (!confirmed) return false;
  await send(method, path(confirmed.number, confirmed.name), undefined, {
    'X-Streaming-Author': encodeURIComponent(confirmed.who), 'X-Streaming-Why': encodeURIComponent(confirmed.why),
  });
  return true;
}

/** The dialog behind `operate`; one of a page. */
export function ConfirmDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const answer = useRef<(confirmed: Confirmed | null) => void>(() => {});
  const [step, setStep] = useState<Step | null>(null);
  const [who, setWho] = useState(localStorage.getItem(authorName) ?? '');
  const [why, setWhy] = useState('');
  const [value, setValue] = useState('');
  const [name, setName] = useState('');
  useEffect(() => {
    ask = (next) => {
      setStep(next);
      setWhy('');
      setName('');
      setValue(next.number ? String(next.number.from) : '');
      dialog.current?.showModal();
      return new Promise((resolve) => (answer.current = resolve));
    };
  }, []);
  const close = () => {
    localStorage.setItem(authorName, who);
    answer.current(dialog.current?.returnValue === 'do' ? { who, why, number: Number(value), name: name.trim() } : null);
    dialog.current!.returnValue = '';
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={close}>
      <form method="dialog">
        <h2 id="confirm-title">{step?.title}?</h2>
        <p>{step?.text}</p>
        {step?.name ? <label>{step.name.label} <input value={name} required maxLength={200} pattern=".*\S.*" autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} /></label> : null}
        {step?.number ? (
          <label>
            {step.number.label}
            <input type="number" min={step.number.min} max={step.number.max} step={step.number.step} required value={value} onInput={(e) => setValue(e.currentTarget.value)} />
          </label>
        ) : null}
        <label>Your name <input value={who} required maxLength={100} autocomplete="name" onInput={(e) => setWho(e.currentTarget.value)} /></label>
        <label>Why <input value={why} maxLength={500} autocomplete="off" onInput={(e) => setWhy(e.currentTarget.value)} /></label>
        <p class="buttons">
          <button value="do" class={step?.danger ? 'danger' : ''}>{step?.title}</button>
          <button value="cancel" class="quiet" formNoValidate>Cancel</button>
        </p>
      </form>
    </dialog>
  );
}
