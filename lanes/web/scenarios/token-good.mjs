// A token made with the certificate opens the door, and the session behind it works.

export const name = 'token-good';
export const needs = 'auth';

export async function run(ctx) {
  const alice = await ctx.client(ctx.name('alice'));
  alice.login(ctx.token(alice.account));
  await alice.loggedIn();
  await alice.sends(alice.account, 'inside');
  await alice.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'inside']);
}
