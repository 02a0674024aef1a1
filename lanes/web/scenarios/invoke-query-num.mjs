// The member count of a channel, requested from inside and from outside.

import { containing, equal, inAnyOrder } from '../expect.mjs';

export const name = 'invoke-query-num';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const carol = await ctx.user('carol');
  const num = async (client, channel) => client.invoke('channel_query_num', { name: channel });
  await alice.joins(room, [[alice.account, alice.uid]]);

  equal(await num(alice, room), ['', containing({ num: 1 })], 'joined, alone');
  await bob.joins(room, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);
  equal(await num(alice, room), ['', containing({ num: 2 })], 'joined, two');
  equal(await num(carol, room), ['', containing({ num: 2 })], 'not joined');
  equal(await num(carol, ctx.name('empty')), ['', containing({ num: 0 })], 'an empty channel');
}
