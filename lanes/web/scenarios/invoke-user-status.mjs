// Applications compare the status with the number 1.

import { containing, equal } from '../expect.mjs';

export const name = 'invoke-user-status';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const status = (account) => alice.invoke('user_query_user_status', { account });

  equal(await status(bob.account), ['', containing({ result: 'ok', status: 1 })], 'of a user who is online');
  equal(await status(ctx.name('nobody')), ['', containing({ status: 0 })], 'of an unknown user');
  bob.logout();
  await bob.saw(['session', 'onLogout', 101]);
  equal(await status(bob.account), ['', containing({ status: 0 })], 'of a user who has logged out');
}
