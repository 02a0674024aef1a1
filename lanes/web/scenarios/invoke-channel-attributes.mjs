// Attributes changed from outside the channel; its members get events.

import { containing, equal } from '../expect.mjs';

export const name = 'invoke-channel-attributes';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');
  await alice.joins(room, [[alice.account, alice.uid]]);
  const change = async (what, args) => {
    equal(await bob.invoke(what, { channel: room, ...args }), ['', containing({ result: 'ok' })], what);
  };

  await change('channel_set_attr', { name: 'a', value: '1' });
  await change('channel_set_attr', { name: 'b', value: '2' });
  await change('channel_set_attr', { name: 'c', value: '3' });
  await change('channel_del_attr', { name: 'a' });
  await change('channel_clear_attr', {});
  await alice.saw(
    [room, 'onChannelAttrUpdated', 'a', '1', 'update'],
    [room, 'onChannelAttrUpdated', 'b', '2', 'update'],
    [room, 'onChannelAttrUpdated', 'c', '3', 'update'],
    [room, 'onChannelAttrUpdated', 'a', '', 'del'],
    [room, 'onChannelAttrUpdated', '', '', 'clear'],
  );
}
