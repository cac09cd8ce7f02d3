import { useEffect } from 'preact/hooks';

/** Notes once, in the browser's own list of timings (`performance`), when there was something to see and to act on. */
export function useUsable(is: boolean) {
  useEffect(() => {
    if (is && !performance.getEntriesByName('usable').length) performance.mark('usable');
  }, [is]);
}
