// A logout is confirmed, and the account can come back at once with the uid it had.

import { equal } from '../expect.mjs';

export const name = 'logout';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  alice.logout();
  await alice.saw(['session', 'onLogout', 101]);
  await ctx.sleep(100);
  equal(await alice.status(), 0, 'status after onLogout');

  alice.login(ctx.token(alice.account));
  await alice.loggedIn();
}
