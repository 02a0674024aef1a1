// A new member gets the list with itself. Members get an event, other users do not.

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
