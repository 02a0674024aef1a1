// Who joins gets the list with itself in it; who is there is told, and only who is there.

import { inAnyOrder } from '../expect.mjs';

export const name = 'channel-join';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  await alice.joins(room, [[alice.account, alice.uid]]);
  await bob.joins(room, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);
}
