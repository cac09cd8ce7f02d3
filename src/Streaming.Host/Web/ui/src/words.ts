import type { Explained, Item } from './api';

const done: Record<string, string> = {
  click: 'opened', dwell: 'stayed with', like: 'liked', share: 'shared', add_to_cart: 'put into the cart', purchase: 'bought', rating: 'rated', custom: 'acted on',
};

const channels: Record<string, string> = {
  itemcf: 'others who acted on the same items also acted on this one', embedding: 'it lies near what you act on', interest: 'it has a tag or category that you like',
  author: 'you like its author', trending: 'it is getting more attention right now', popular: 'it is popular', fresh: 'it is new', transition: 'it often comes next',
  two_tower: 'the two-tower model finds it near you',
  again: 'you acted on it before',
};

/** A past action in words: "opened". */
export const actionWord = (action: string) => done[action] ?? action;

/** Leaving out what was done with any one item changes nothing at all. */
const changesNothing = (of: Explained) => of.events.every((o) => o.drop === 0 && o.rank_without === of.rank_now && o.channel_without === of.channel_now);

/** Why, in one line; empty while that is not known yet. Null where it will not be: then the channel has to do. */
export function reason(explained: Explained | null | undefined, channel: string, title: (id: string) => string): string {
  if (explained === undefined) return '';
  if (explained?.because) return `because you ${actionWord(explained.because.action)} ${explained.because.item ? title(explained.because.item) : 'an item that is gone'}`;
  // No reason: the node's bound of one is a hundredth of the score.
  if (explained?.events.length) return changesNothing(explained) ? 'leaving out any recent action changes nothing' : 'leaving out any recent action costs it neither its place nor 1 % of its score';
  return `because ${channels[channel] ?? `the channel ${channel} found it`}`;
}

/** An item's own title where it has one, else its id. */
export function titleOf(item: Item | undefined, id: string): string {
  const said = item?.attributes.title ?? item?.attributes.name;
  return typeof said === 'string' && said.trim() ? said : id;
}

/** 0.4213, 12.3, 1,234: as many digits as can be told apart. */
export function number(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '-';
  return value.toLocaleString('en', Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits });
}

export const percent = (share: number | null | undefined, digits = 1) =>
  share === null || share === undefined || !Number.isFinite(share) ? '-' : `${(share * 100).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} %`;

/** 250 ms, 3.2 s, 5 min, 2 h, 3 d. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '-';
  if (ms < 1000) return `${number(ms)} ms`;
  if (ms < 120_000) return `${number(ms / 1000, 2)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}
