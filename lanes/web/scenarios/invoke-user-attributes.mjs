// A user's attributes: set by the user, read by anyone.

import { containing, equal, jsonText } from '../expect.mjs';

export const name = 'invoke-user-attributes';
export const needs = 'open';

export async function run(ctx) {
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  const read = (client, key) => client.invoke('user_get_attr', { account: alice.account, name: key });

  const ok = ['', containing({ result: 'ok' })];
  equal(await alice.invoke('user_set_attr', { name: 'mood', value: 'idle' }), ok, 'user_set_attr');
  equal(await alice.invoke('user_set_attr', { name: 'card', value: '{"age":7}' }), ok, 'user_set_attr');

  for (const client of [alice, bob]) {
    equal(await read(client, 'mood'), ['', containing({ result: 'ok', value: 'idle' })], 'user_get_attr');
    equal(
      await client.invoke('user_get_attr_all', { account: alice.account }),
      ['', containing({ json: jsonText({ mood: 'idle', card: '{"age":7}' }) })],
      'user_get_attr_all',
    );
  }
  const missing = ['no such attr', containing({ result: 'failed', reason: 'no such attr' })];
  equal(await read(bob, 'none'), missing, 'an attribute that was never set');
}
