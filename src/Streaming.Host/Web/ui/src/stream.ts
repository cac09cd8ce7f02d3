import { messageOf, send } from './api';

export interface Sample {
  at_ms: number;
  events_per_s: number;
  lookups_per_s: number;
  click_to_list_ms_p50: number | null;
  click_to_list_ms_p99: number | null;
  feed_age_ms_p50: number | null;
  feed_age_ms_p99: number | null;
  hit_share: number | null;
  lag_offsets: number;
  auc: Record<string, number | null>;
  /** Of the deep models, that lists are made with. */
  versions: Record<string, number>;
}

export interface Ranked {
  item: string;
  score: number;
  rank: number;
  was: number | null;
}

export interface Deep {
  name: string;
  serving: number;
  ranks: boolean;
  applied: number;
  examples: number;
  auc: number | null;
  promotions: number;
  rollbacks: number;
  ledger: Verdict[];
  goals: { goal: string; count: number; auc: number | null; gauc: number | null; log_loss: number | null; calibration: number | null }[];
  head: { lists: number; base_ndcg: number | null; head_ndcg: number | null; is_served: boolean } | null;
}

/** What a version did on the canary's examples. */
interface CanaryFigures {
  log_loss: number | string;
  auc: number | string;
}

/** What the canary said of a version, beside the one that served. */
export interface Verdict {
  time_ms: number;
  version: number;
  base: number;
  verdict: string;
  reason: string;
  examples: number;
  candidate: CanaryFigures | null;
  serving: CanaryFigures | null;
}

/** A second of the node; the fields that the dashboard reads. */
export interface LiveFrame {
  sample: Sample;
  status: {
    admission: string;
    lag_ms: number;
    users: { applied: number; dead_letters: number; resident: number; lists: number };
    items: number;
    item_dead_letters: number;
    ingest_rejected: number;
    examples: number;
    models: string;
    checkpoint_id: number;
    deep: Deep[];
    shards: { leading: number[] } | null;
  };
  lag_by_partition: Record<string, number>;
  events_per_s_by_type: Record<string, number>;
  lookups_per_s_by_result: Record<string, number>;
  set_aside_by_reason: Record<string, number>;
  models: { model: string; auc: number | null; gauc: number | null; log_loss: number | null; calibration: number | null }[];
  popular: Ranked[];
  movers: Ranked[];
  hot_users: { id: string; count: number }[];
  hot_items: { id: string; count: number }[];
}

interface Watcher {
  history: (samples: Sample[]) => void;
  frame: (frame: LiveFrame) => void;
  state: (text: string) => void;
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Follows the node until aborted, and comes back after a loss. Not EventSource: that cannot send a key. */
export async function watch(watcher: Watcher, signal: AbortSignal) {
  for (let wait = 1000; !signal.aborted; wait = Math.min(wait * 2, 10_000)) {
    try {
      const response = await send('GET', '/v1/status/stream', undefined, { Accept: 'text/event-stream' }, signal);
      watcher.state('Live');
      let text = '';
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += part.value;
        const events = text.split('\n\n');
        text = events.pop()!;
        for (const event of events) tell(watcher, event);
        wait = 1000;
      }
      watcher.state('The node has ended the stream; trying again.');
    } catch (problem) {
      if (!signal.aborted) watcher.state(`No figures: ${messageOf(problem)}`);
    }
    await pause(wait, signal);
  }
}

function tell(watcher: Watcher, event: string) {
  const [name, data] = event.split('\ndata: ');
  if (name === 'event: history') watcher.history((JSON.parse(data) as { samples: Sample[] }).samples);
  else if (name === 'event: frame') watcher.frame(JSON.parse(data) as LiveFrame);
}
