// A message to an offline user is accepted, and waits for the login.

export const name = 'peer-message-offline';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  await alice.sends(ctx.name('bob'), 'for later');
  await ctx.sleep(500);

  const bob = await ctx.user('bob');
  await bob.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'for later']);
}
