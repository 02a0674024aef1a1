// A space in the account: lines between server and client are split at spaces.

export const name = 'account-illegal';
export const needs = 'auth';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('al ice'));
  alice.login(ctx.token(alice.account));
  await alice.saw(['session', 'onLoginFailed', 209]);
}
