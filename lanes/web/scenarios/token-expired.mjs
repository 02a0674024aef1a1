// A token of which the time is over.

import { seconds, signalingToken } from '../token.mjs';

export const name = 'token-expired';
export const needs = 'auth';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('alice'));
  alice.login(signalingToken(alice.account, seconds(-60)));
  await alice.saw(['session', 'onLoginFailed', 204]);
}
