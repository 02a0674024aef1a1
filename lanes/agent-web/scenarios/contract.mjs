// The contract of an RTM, as far as it shows without a network: the cases that `tests/it/contract.rs` holds against the embedded RTM.

import { readFileSync } from 'node:fs';
import { refused } from '../context.mjs';

const CASES = new URL('../../../tests/it/contract/offline.json', import.meta.url);
/** The SDK's names where they differ from the canonical ones. */
const NAMES = { join: 'channel.join', leave: 'channel.leave', sendMessage: 'channel.sendMessage', getMembers: 'channel.getMembers' };

const repeated = (text) => text.replace(/^(.*)\*(\d+)$/s, (_, of, n) => of.repeat(Number(n)));

function filled(value) {
  if (typeof value === 'string') return repeated(value);
  if (Array.isArray(value)) return value.map(filled);
  if (value === null || typeof value !== 'object') return value;
  if (value['@many']) {
    const [count, size] = value['@many'];
    return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v'.repeat(size)]));
  }
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [repeated(key), filled(of)]));
}

export const name = 'contract';

export async function run(ctx) {
  const session = await ctx.session();
  for (const { calls, params, refused: error } of JSON.parse(readFileSync(CASES, 'utf8'))) {
    for (const call of calls) await session.expect(NAMES[call] ?? call, filled(params), refused(...error));
  }
}
