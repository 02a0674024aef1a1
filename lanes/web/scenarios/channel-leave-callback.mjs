// With a cb, the SDK reports a leave there and nowhere else.

import { equal } from '../expect.mjs';

export const name = 'channel-leave-callback';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const channel = await alice.joins(room, [[alice.account, alice.uid]]);
  equal(await channel.leaveWithCallback(), [], 'cb of channelLeave');
}
