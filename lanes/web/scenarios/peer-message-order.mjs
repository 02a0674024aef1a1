// More messages in one burst than a single answer of the mailbox holds (30), each once and in order.

import { equal } from '../expect.mjs';

export const name = 'peer-message-order';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const texts = Array.from({ length: 40 }, (_, i) => `message ${i}`);

  const answers = await Promise.all(texts.map((text) => alice.send(bob.account, text)));
  equal(answers, texts.map(() => [false]), 'cb of each messageInstantSend');
  await bob.saw(...texts.map((text) => ['session', 'onMessageInstantReceive', alice.account, 0, text]));
}
