import { useCallback, useEffect, useState } from 'preact/hooks';
import { get, messageOf } from './api';

/** A GET's answer, asked again every so often while the page is in view, and whenever `again` is called or `version` changes. */
export function usePolled<T>(path: string, everyMs: number, version: unknown = 0) {
  const [answer, setAnswer] = useState<T | null>(null);
  const [problem, setProblem] = useState('');
  const again = useCallback(
    () => get<T>(path).then(
      (found) => {
        setAnswer(found);
        setProblem('');
      },
      (refused: unknown) => setProblem(messageOf(refused)),
    ),
    [path],
  );
  useEffect(() => {
    void again();
    const timer = setInterval(() => document.hidden || void again(), everyMs);
    return () => clearInterval(timer);
  }, [again, everyMs, version]);
  return { answer, problem, again };
}
