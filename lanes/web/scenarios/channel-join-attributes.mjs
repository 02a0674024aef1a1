// The attributes a channel already has follow the list, each as an update.

import { equal, inAnyOrder, matching } from '../expect.mjs';

export const name = 'channel-join-attributes';
export const needs = 'open';

export async function run(ctx) {
  const room = ctx.name('room');
  const alice = await ctx.user('alice');
  const bob = await ctx.user('bob');

  const channel = await alice.joins(room, [[alice.account, alice.uid]]);
  await channel.set('topic', 'first');
  await channel.set('topic', 'second');
  await channel.set('state', '{"open":true}');
  await alice.saw(
    [room, 'onChannelAttrUpdated', 'topic', 'first', 'update'],
    [room, 'onChannelAttrUpdated', 'topic', 'second', 'update'],
    [room, 'onChannelAttrUpdated', 'state', '{"open":true}', 'update'],
  );

  bob.join(room);
  const attribute = matching('topic or state', (key) => key === 'topic' || key === 'state');
  const value = matching('its value', (text) => text === 'second' || text === '{"open":true}');
  const events = await bob.saw(
    [room, 'onChannelJoined'],
    [room, 'onChannelUserList', inAnyOrder([alice.account, alice.uid], [bob.account, bob.uid])],
    [room, 'onChannelAttrUpdated', attribute, value, 'update'],
    [room, 'onChannelAttrUpdated', attribute, value, 'update'],
  );
  // Attributes have no order of their own.
  const got = new Map(events.slice(2).map(([, , key, text]) => [key, text]));
  equal([got.get('topic'), got.get('state')], ['second', '{"open":true}'], 'attributes after the join');
  await alice.saw([room, 'onChannelUserJoined', bob.account, bob.uid]);
}
