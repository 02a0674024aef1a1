// No token, where tokens are checked.

import { NO_TOKEN } from '../token.mjs';

export const name = 'token-none';
export const needs = 'auth';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('alice'));
  alice.login(NO_TOKEN);
  await alice.saw(['session', 'onLoginFailed', 206]);
}
