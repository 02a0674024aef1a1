// Leaving is confirmed to who leaves and told to who stays.

import { inAnyOrder } from '../expect.mjs';

export const name = 'channel-leave';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const inAlices = await alice.joins(room, [[alice.account, alice.uid]]);
  const inBobs = await bob.joins(room, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);

  inBobs.leave();
  await bob.saw([room, 'onChannelLeaved', 0]);
  await alice.saw([room, 'onChannelUserLeaved', bob.account, bob.uid]);

  // Who has left hears no more of it.
  await inAlices.say('alone');
  await alice.saw([room, 'onMessageChannelReceive', alice.account, alice.uid, 'alone']);
}
