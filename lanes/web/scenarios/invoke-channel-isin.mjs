// Membership of a user in a channel; applications compare with the number 1.

import { containing, equal } from '../expect.mjs';

export const name = 'invoke-channel-isin';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const isin = (client, account) => client.invoke('channel_query_user_isin', { name: room, account });
  await alice.joins(room, [[alice.account, alice.uid]]);

  for (const client of [alice, bob]) {
    equal(await isin(client, alice.account), ['', containing({ isin: 1 })], `${client.account} queries a member`);
    equal(await isin(client, bob.account), ['', containing({ isin: 0 })], `${client.account} queries another account`);
  }
}
