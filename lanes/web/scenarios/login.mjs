// The walking skeleton's first step: found, connected, logged in.

import { equal } from '../expect.mjs';

export const name = 'login';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('alice'));
  equal(await alice.login(ctx.token(alice.account)), 1, 'status while logging in');
  await alice.loggedIn();
  equal(await alice.status(), 2, 'status after onLoginSuccess');

  // A lookup queries both pools and opens two sockets at once. The losing socket closes and must have no effect.
  const racing = ctx.looksUp;
  equal(alice.tab.lookups.length, racing ? 2 : 0, 'look-ups');
  await ctx.sleep(1_200);
  equal(alice.tab.socketCounts(), { opened: racing ? 2 : 1, open: 1 }, 'sockets');
  equal(await alice.status(), 2, 'status after the race');
}
