// A message between two accounts, both ways.

export const name = 'peer-message';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  await alice.sends(bob.account, 'hello');
  await bob.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'hello']);
  await bob.sends(alice.account, 'hello yourself');
  await alice.saw(['session', 'onMessageInstantReceive', bob.account, 0, 'hello yourself']);
}
