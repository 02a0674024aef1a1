// A leave is confirmed, and remaining members get an event.

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

  // A former member gets no more events of the channel.
  await inAlices.say('alone');
  await alice.saw([room, 'onMessageChannelReceive', alice.account, alice.uid, 'alone']);
}
