// Texts that a line protocol or an escape too many would damage.

export const name = 'peer-message-text';
export const needs = 'open';

const TEXTS = [
  'two  spaces, and one at the end ',
  'line one\nline two\r\n\ttabbed',
  '"quoted" \\ {"json":true} [1,"msg-v2 a b c"]',
  'Grüße, 你好, 👩‍💻',
  'msg-v2 x y v1:E:3600 instant 0 not a line',
];

export async function run(ctx) {
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  for (const text of TEXTS) {
    await alice.sends(bob.account, text);
    await bob.saw(['session', 'onMessageInstantReceive', alice.account, 0, text]);
  }
}
