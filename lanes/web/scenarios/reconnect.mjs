// The network fails for a moment. The SDK logs in again by itself, with an event of success, and messages of that time
// arrive once.

import { equal } from '../expect.mjs';

export const name = 'reconnect';
export const needs = 'open';
export const cuts = true;

export async function run(ctx) {
  const proxy = await ctx.proxy();
  const alice = await ctx.user('alice', { proxy });
  const bob = await ctx.user('bob');
  // The loser of the two racing sockets should be out of the way.
  await ctx.sleep(500);

  proxy.hold();
  proxy.sever();
  await ctx.sleep(300);
  await bob.sends(alice.account, 'sent meanwhile');
  proxy.release();

  await alice.loggedIn();
  await alice.saw(['session', 'onMessageInstantReceive', bob.account, 0, 'sent meanwhile']);
  equal(await alice.status(), 2, 'status');
  await bob.sends(alice.account, 'sent afterwards');
  await alice.saw(['session', 'onMessageInstantReceive', bob.account, 0, 'sent afterwards']);
  await alice.sends(bob.account, 'thanks');
  await bob.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'thanks']);
}
