// A token made with another certificate.

import { seconds, signalingToken } from '../token.mjs';

export const name = 'token-wrong';
export const needs = 'auth';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('alice'));
  alice.login(signalingToken(alice.account, seconds(3600), '0'.repeat(32)));
  await alice.saw(['session', 'onLoginFailed', 206]);
}
