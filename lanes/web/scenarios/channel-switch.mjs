// A user is in one channel at a time: a join of another one leaves it, without an event for the user.

import { inAnyOrder } from '../expect.mjs';

export const name = 'channel-switch';
export const needs = 'open';

export async function run(ctx) {
  const [first, second] = [ctx.name('first'), ctx.name('second')];
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const carol = await ctx.user('carol');
  const inFirst = await bob.joins(first, [[bob.account, bob.uid]]);
  await carol.joins(second, [[carol.account, carol.uid]]);
  await alice.joins(first, inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]));
  await bob.saw([first, 'onChannelUserJoined', alice.account, alice.uid]);

  await alice.joins(second, inAnyOrder([alice.account, alice.uid], [carol.account, carol.uid]));
  await bob.saw([first, 'onChannelUserLeaved', alice.account, alice.uid]);
  await carol.saw([second, 'onChannelUserJoined', alice.account, alice.uid]);

  await inFirst.say('not for alice');
  await bob.saw([first, 'onMessageChannelReceive', bob.account, bob.uid, 'not for alice']);
}
