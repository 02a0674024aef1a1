// The walking skeleton's first step: found, connected, logged in.

import { equal } from '../expect.mjs';

export const name = 'login';
export const needs = 'open';

export async function run(ctx) {
  const alice = ctx.client(ctx.name('alice'));
  alice.login(ctx.token(alice.account));
  equal(alice.status, 1, 'status while logging in');
  await alice.loggedIn();
  equal(alice.status, 2, 'status after onLoginSuccess');

  // A look-up asks both pools and opens two sockets at once; the loser closes itself and must do no harm.
  const racing = ctx.via === 'lookup';
  equal(alice.tab.lookups.length, racing ? 2 : 0, 'look-ups');
  await ctx.sleep(1_200);
  equal(alice.tab.sockets.size, racing ? 2 : 1, 'sockets opened');
  equal([...alice.tab.sockets].filter((socket) => socket.readyState === socket.OPEN).length, 1, 'sockets still open');
  equal(alice.status, 2, 'status after the race');
}
