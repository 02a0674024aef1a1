// A valid token of another account.

import { seconds, signalingToken } from '../token.mjs';

export const name = 'token-foreign';
export const needs = 'auth';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('alice'));
  alice.login(signalingToken(ctx.name('bob'), seconds(3600)));
  await alice.saw(['session', 'onLoginFailed', 206]);
}
