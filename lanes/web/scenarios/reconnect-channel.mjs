// The SDK does not go back into its channel, the application does. To the others it never left.

import { inAnyOrder } from '../expect.mjs';

export const name = 'reconnect-channel';
export const needs = 'open';
export const cuts = true;

export async function run(ctx) {
  const room = ctx.name('room');
  const proxy = await ctx.proxy();
  const alice = await ctx.user('alice', { proxy });
  const bob = await ctx.user('bob');
  const inBobs = await bob.joins(room, [[bob.account, bob.uid]]);
  const both = inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid]);
  await alice.joins(room, both);
  await bob.saw([room, 'onChannelUserJoined', alice.account, alice.uid]);

  proxy.sever();
  await alice.loggedIn();
  await alice.joins(room, both);
  await inBobs.say('welcome back');
  for (const member of [bob, alice]) {
    await member.saw([room, 'onMessageChannelReceive', bob.account, bob.uid, 'welcome back']);
  }
}
