// An unknown function fails with a text as `err`, and a value with a reason that applications print.

import { equal } from '../expect.mjs';

export const name = 'invoke-unknown';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  const [err, value] = await alice.invoke('no_such_function', { name: 'x' });
  equal(err, 'unknown func no_such_function', 'err');
  equal(value.result, 'failed', 'result of the value');
  equal(value.reason, 'unknown func no_such_function', 'reason of the value');

  // One failed call leaves the session as it was.
  await alice.sends(alice.account, 'still here');
  await alice.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'still here']);
}
