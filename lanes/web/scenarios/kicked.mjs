// The newest login wins. The first session ends with 103 and does not come back to kick in its turn.

import { equal } from '../expect.mjs';

export const name = 'kicked';
export const needs = 'open';

export async function run(ctx) {
  const first = await ctx.user('alice');
  // Two sockets within a second are the racing pair of one client, not a second client.
  await ctx.sleep(1_500);
  const second = await ctx.user('alice');
  await first.saw(['session', 'onLogout', 103]);
  equal(second.uid, first.uid, 'uid of the second login');

  await ctx.sleep(1_500);
  equal([await first.status(), await second.status()], [0, 2], 'status of both');
  const bob = await ctx.user('bob');
  await bob.sends(second.account, 'to the second');
  await second.saw(['session', 'onMessageInstantReceive', bob.account, 0, 'to the second']);
}
