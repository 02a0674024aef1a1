// Applications pass objects; the receiver gets their JSON text.

import { jsonText } from '../expect.mjs';

export const name = 'peer-message-json';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  for (const message of [{ type: 'quiz', answers: [1, 2] }, ['a', null], 42, true]) {
    await alice.sends(bob.account, message);
    await bob.saw(['session', 'onMessageInstantReceive', alice.account, 0, jsonText(message)]);
  }
}
