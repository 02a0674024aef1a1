// Applications use a message to themselves as their heartbeat, so it has to come back.

export const name = 'peer-message-self';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  await alice.sends(alice.account, 'heartbeat 1');
  await alice.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'heartbeat 1']);
  await alice.sends(alice.account, 'heartbeat 2');
  await alice.saw(['session', 'onMessageInstantReceive', alice.account, 0, 'heartbeat 2']);
}
